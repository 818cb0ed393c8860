//! Time that passes without events: a quiet partition's watermark follows the clock, and replay repeats where it did.

use std::sync::atomic::Ordering::Relaxed;

use wasmill_core::time::{BEGINNING, Nanos};

use super::{Halt, Outbox, Task};

impl Task {
    /// At the log's end for `idle_after`: it no longer holds windows of the exchange open.
    pub fn idle(&self, now: Nanos) -> bool {
        let after = self.source.plan.idle_after;
        self.at_end && after > 0 && now - self.quiet_since >= after
    }

    /// What the clock asks for: a quiet partition's watermark follows it, and early rows are due. `ahead`: how far the other
    /// partitions of an exchange are; a quiet one keeps up with them, so that it holds no windows open.
    pub fn tick(&mut self, now: Nanos, ahead: Nanos) -> Result<Outbox, Halt> {
        let mut outbox = Outbox::default();
        let (live, idle) = (self.live(), self.idle(now));
        self.figures.idle.store(idle, Relaxed);
        if live && idle {
            let mut floor = ahead;
            if self.watermark.running_max() != BEGINNING {
                // As much later as the clock has moved since the last event: right for live data, and old data that is read
                // again keeps its own pace.
                let quiet = now - self.quiet_since;
                floor = floor.max(self.watermark.running_max() + quiet - self.source.plan.out_of_orderness);
            }
            self.raise(floor, &mut outbox)?;
        }
        for route in &mut self.routes {
            if let Some(fold) = &mut route.fold {
                fold.early(now, live, self.watermark.current(), &mut outbox)?;
            }
        }
        Ok(outbox)
    }

    /// Lifts the watermark without an event, and remembers it for replays.
    pub fn raise(&mut self, floor: Nanos, outbox: &mut Outbox) -> Result<(), Halt> {
        if floor <= self.watermark.current() {
            return Ok(());
        }
        match self.raises.last_mut() {
            Some(last) if last.0 == self.position => last.1 = floor,
            _ => self.raises.push((self.position, floor)),
        }
        self.advance_to(floor, true, outbox)
    }

    pub(super) fn advance_to(&mut self, floor: Nanos, live: bool, outbox: &mut Outbox) -> Result<(), Halt> {
        self.watermark.raise(floor);
        for route in &mut self.routes {
            if let Some(fold) = &mut route.fold {
                fold.advance(self.watermark.current(), live, outbox)?;
            }
        }
        self.show();
        Ok(())
    }

    /// Replay repeats what idleness did before the event at `offset` was handled. What fired then was acknowledged with the commit
    /// that tells of it, also at the position itself: nothing is emitted.
    pub(super) fn repeat_raises(&mut self, offset: i64, outbox: &mut Outbox) -> Result<(), Halt> {
        while let Some(&(at, floor)) = self.raises_to_repeat.first() {
            if at > offset {
                break;
            }
            self.raises_to_repeat.remove(0);
            self.advance_to(floor, false, outbox)?;
        }
        Ok(())
    }
}
