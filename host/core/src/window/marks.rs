//! From which offset the panes and sessions still kept could be rebuilt.

use std::collections::VecDeque;

use super::LowMark;

/// The number of a batch among those that opened something.
pub(super) type MarkId = u64;
/// What came from an exchange has no offset of its own.
pub(super) const NO_MARK: MarkId = u64::MAX;

/// One entry for each batch that opened something still kept, with how many things still need it.
#[derive(Debug, Default)]
pub(super) struct Marks {
    entries: VecDeque<(LowMark, u32)>,
    first: MarkId,
}

impl Marks {
    /// The mark of the batch being folded. It lives only if something holds it.
    pub fn open(&mut self, mark: LowMark) -> MarkId {
        if self.entries.back().is_none_or(|(last, _)| last.offset != mark.offset) {
            self.entries.push_back((mark, 0));
        }
        self.first + self.entries.len() as u64 - 1
    }

    pub fn hold(&mut self, id: MarkId) {
        if let Some((_, holders)) = self.entry(id) {
            *holders += 1;
        }
    }

    pub fn release(&mut self, id: MarkId) {
        if let Some((_, holders)) = self.entry(id) {
            *holders -= 1;
        }
    }

    fn entry(&mut self, id: MarkId) -> Option<&mut (LowMark, u32)> {
        if id == NO_MARK {
            return None;
        }
        self.entries.get_mut((id - self.first) as usize)
    }

    /// Drops what nobody holds at the front and, where the last batch opened nothing, at the back.
    pub fn trim(&mut self) {
        while self.entries.front().is_some_and(|(_, holders)| *holders == 0) {
            self.entries.pop_front();
            self.first += 1;
        }
        while self.entries.back().is_some_and(|(_, holders)| *holders == 0) {
            self.entries.pop_back();
        }
    }

    pub fn lowest(&self) -> Option<LowMark> {
        self.entries.iter().find(|(_, holders)| *holders > 0).map(|(mark, _)| *mark)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(offset: i64) -> LowMark {
        LowMark { offset, running_max: 0, floor: 0 }
    }

    #[test]
    fn the_lowest_mark_is_the_oldest_that_is_held() {
        let mut marks = Marks::default();
        let (a, b) = (marks.open(mark(10)), marks.open(mark(20)));
        marks.hold(a);
        marks.hold(b);
        marks.hold(b);
        assert_eq!(marks.lowest().map(|m| m.offset), Some(10));
        marks.release(a);
        marks.trim();
        assert_eq!(marks.lowest().map(|m| m.offset), Some(20));
        marks.release(b);
        marks.release(b);
        marks.trim();
        assert_eq!(marks.lowest(), None);
        let c = marks.open(mark(30));
        marks.hold(c);
        assert_eq!(marks.lowest().map(|m| m.offset), Some(30));
    }
}
