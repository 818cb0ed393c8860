//! The second tier: a strict scanner that goes through a document once, finds the values asked for, and notes its shape.

use crate::projection::{NodeId, Projection, ROOT};
use crate::slow::MAX_DEPTH;
use crate::syntax;
use crate::template::{Expect, Lesson};
use crate::token::{Class, MAX_DIGITS, TokenRow};

/// Something that the scanner does not decide by itself: an error, a duplicate or escaped key where keys matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unusual;

#[derive(Clone, Debug)]
pub(crate) struct Scanner {
    projection: Projection,
    /// For each node of the projection the last document that had it, to see duplicate keys.
    seen: Vec<u64>,
    document: u64,
    /// Objects that nobody asked for become one step instead of a step a member: for events whose objects have ever other keys.
    pub skim: bool,
}

impl Scanner {
    pub(crate) fn new(paths: &[Vec<String>]) -> Self {
        let projection = Projection::new(paths);
        let seen = vec![0; projection.len()];
        Scanner { projection, seen, document: 0, skim: false }
    }

    /// Finds the values of one payload; `row` must be clear. After an error it may hold anything.
    #[inline(never)]
    pub(crate) fn scan(&mut self, text: &[u8], row: &mut TokenRow<'_>, lesson: &mut Lesson) -> Result<(), Unusual> {
        if std::str::from_utf8(text).is_err() {
            return Err(Unusual);
        }
        lesson.begin();
        self.document += 1;
        let at = syntax::skip_space(text, 0);
        if text.get(at) != Some(&b'{') {
            return Err(Unusual);
        }
        let mut pass = Pass { scanner: self, text, row, lesson, at, literal: 0 };
        pass.object(Some(ROOT), 1)?;
        pass.at = syntax::skip_space(text, pass.at);
        if pass.at != text.len() {
            return Err(Unusual);
        }
        pass.step(Expect::End, None, text.len(), text.len());
        Ok(())
    }
}

/// One document on its way through the scanner.
struct Pass<'a, 'r> {
    scanner: &'a mut Scanner,
    text: &'a [u8],
    row: &'a mut TokenRow<'r>,
    lesson: &'a mut Lesson,
    /// The next byte.
    at: usize,
    /// Where the literal of the next step begins.
    literal: usize,
}

impl Pass<'_, '_> {
    #[inline]
    fn byte(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    #[inline]
    fn eat(&mut self, byte: u8) -> Result<(), Unusual> {
        if self.byte() != Some(byte) {
            return Err(Unusual);
        }
        self.at = syntax::skip_space(self.text, self.at + 1);
        Ok(())
    }

    /// Notes the value at `start..end` for the shape.
    fn step(&mut self, expect: Expect, slot: Option<usize>, start: usize, end: usize) {
        let literal = self.text.get(self.literal..start).unwrap_or_default();
        self.lesson.add(literal, expect, slot, end - start);
        self.literal = end;
    }

    /// Notes the value, and gives it to who asked for it.
    fn found(&mut self, expect: Expect, slot: Option<usize>, class: Class, start: usize, end: usize) {
        self.step(expect, slot, start, end);
        if let Some(slot) = slot {
            self.row.set(slot, class, start, end - start);
        }
    }

    /// An object, whose members may lead to slots if it is a `node`.
    fn object(&mut self, node: Option<NodeId>, depth: usize) -> Result<(), Unusual> {
        if depth > MAX_DEPTH {
            return Err(Unusual);
        }
        self.eat(b'{')?;
        if self.byte() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            let member = self.key(node)?;
            self.eat(b':')?;
            self.value(member, depth + 1)?;
            self.at = syntax::skip_space(self.text, self.at);
            match self.byte() {
                Some(b',') => self.eat(b',')?,
                Some(b'}') => break,
                _ => return Err(Unusual),
            }
        }
        self.at += 1;
        Ok(())
    }

    /// A key; gives the node that it leads to.
    fn key(&mut self, node: Option<NodeId>) -> Result<Option<NodeId>, Unusual> {
        if self.byte() != Some(b'"') {
            return Err(Unusual);
        }
        let start = self.at + 1;
        let end = syntax::text_end(self.text, start).ok_or(Unusual)?;
        self.at = syntax::skip_space(self.text, end.quote + 1);
        let Some(node) = node else { return Ok(None) };
        if end.escaped {
            return Err(Unusual);
        }
        let name = self.text.get(start..end.quote).unwrap_or_default();
        let member = self.scanner.projection.member(node, name);
        if let Some(seen) = member.and_then(|member| self.scanner.seen.get_mut(member)) {
            if *seen == self.scanner.document {
                return Err(Unusual);
            }
            *seen = self.scanner.document;
        }
        Ok(member)
    }

    /// A value; `depth` is that of an object or array here.
    fn value(&mut self, node: Option<NodeId>, depth: usize) -> Result<(), Unusual> {
        let slot = node.and_then(|node| self.scanner.projection.slot(node));
        let inside = node.filter(|&node| self.scanner.projection.goes_on(node));
        let start = self.at;
        match self.byte().ok_or(Unusual)? {
            b'{' if inside.is_some() => return self.wanted_object(inside, slot, depth),
            b'{' if slot.is_none() && !self.scanner.skim => return self.object(None, depth),
            byte @ (b'{' | b'[') => {
                let class = if byte == b'{' { Class::Object } else { Class::Array };
                self.at = syntax::value_end(self.text, start, depth).ok_or(Unusual)?;
                // No deeper than MAX_DEPTH, which fits a byte.
                self.found(Expect::Whole { depth: depth as u8 }, slot, class, start, self.at);
            }
            b'"' => {
                let end = syntax::text_end(self.text, start + 1).ok_or(Unusual)?;
                let class = if end.escaped { Class::Escaped } else { Class::Text };
                self.found(Expect::Text, slot, class, start + 1, end.quote);
                self.at = end.quote + 1;
            }
            // Null on the way means missing; as part of the literal, so that the shape says nothing else.
            b'n' if inside.is_some() => return self.null(),
            b't' | b'f' | b'n' => {
                let (class, len) = syntax::word(self.text, start).ok_or(Unusual)?;
                self.at += len;
                self.found(Expect::Word, slot, class, start, self.at);
            }
            _ => {
                self.at = syntax::number_end(self.text, start).ok_or(Unusual)?;
                let number = self.text.get(start..self.at).unwrap_or_default();
                let digits = number.len() <= MAX_DIGITS && number.iter().all(u8::is_ascii_digit);
                let class = if digits { Class::Digits } else { Class::Number };
                self.found(Expect::Number, slot, class, start, self.at);
            }
        }
        if let Some(node) = inside {
            self.block(node, start);
        }
        Ok(())
    }

    fn wanted_object(&mut self, node: Option<NodeId>, slot: Option<usize>, depth: usize) -> Result<(), Unusual> {
        let start = self.at;
        if slot.is_some() {
            self.step(Expect::Open, slot, start, start);
        }
        self.object(node, depth)?;
        if let Some(slot) = slot {
            self.row.set(slot, Class::Object, start, self.at - start);
            self.step(Expect::Close, Some(slot), self.at, self.at);
        }
        Ok(())
    }

    fn null(&mut self) -> Result<(), Unusual> {
        let (_, len) = syntax::word(self.text, self.at).filter(|(class, _)| *class == Class::Null).ok_or(Unusual)?;
        self.at += len;
        Ok(())
    }

    /// The value at `start` should have had something inside.
    fn block(&mut self, node: NodeId, start: usize) {
        let (row, end) = (&mut *self.row, self.at);
        self.scanner.projection.slots_inside(node, &mut |slot| row.set(slot, Class::Blocked, start, end - start));
        self.lesson.spoil();
    }
}
