//! The first tier: shapes of documents seen before.
//!
//! A shape is a row of steps: literal bytes that every document of the shape has (keys, colons, commas, white space), each
//! followed by a value that differs. Literals are compared 32 bytes at a time; the length of each value is guessed from the last
//! document, which turns a chain of loads into a branch that the CPU predicts. A document that matches all steps is valid JSON,
//! because the document that taught the shape was, and the values are checked.
//!
//! Shapes share their beginnings: steps are a tree. Where a step does not match, its alternative at the same place is tried.

use crate::token::TokenRow;
use crate::values::{self, Guess, Padded};
use crate::wide::{Mask, WIDE_BYTES, Wide};

/// Steps kept, 64 bytes each, of all shapes together: they should stay in the first-level cache.
const MAX_STEPS: usize = 512;

/// Longer shapes are not learned.
const MAX_STEPS_OF_A_SHAPE: usize = 128;

/// No slot, no alternative.
const NONE: u32 = u32::MAX;

/// What stands behind a step's literal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expect {
    /// The next step's literal.
    Literal,
    /// The content of a text; its closing quote belongs to the next literal.
    Text,
    Number,
    /// `true`, `false` or `null`.
    Word,
    /// An object or array that is walked in full.
    Whole {
        depth: u8,
    },
    /// An object whose members are steps, and whose text is wanted: it begins here.
    Open,
    /// … it ended here.
    Close,
    /// The end of the document.
    End,
}

#[derive(Clone, Debug)]
#[repr(align(64))]
struct Step {
    literal: [u8; WIDE_BYTES],
    /// Which bytes of `literal` count.
    mask: Mask,
    len: u32,
    expect: Expect,
    /// The slot that wants the value, or [`NONE`].
    slot: u32,
    /// The step to try at the same place if this one does not match, or [`NONE`].
    otherwise: u32,
    guess: Guess,
}

impl Step {
    /// The end of the value expected at `at`; gives it to who asked for it.
    ///
    /// # Safety
    /// `at` is at most the document's length; the CPU has the features that `W` names.
    #[inline(always)]
    unsafe fn value<W: Wide>(
        &mut self,
        document: Padded<'_>,
        at: usize,
        row: &mut TokenRow<'_>,
        high: &mut Mask,
    ) -> Option<usize> {
        match self.expect {
            Expect::Literal => return Some(at),
            Expect::Close => {
                row.close(self.slot as usize, at);
                return Some(at);
            }
            _ => {}
        }
        // SAFETY: passed on from the caller.
        let (class, end) = unsafe { values::value::<W>(self.expect, &mut self.guess, document, at, high)? };
        if self.slot != NONE {
            row.set(self.slot as usize, class, at, end - at);
        }
        Some(end)
    }

    fn is_like(&self, other: &Step) -> bool {
        (self.literal, self.len, self.expect, self.slot) == (other.literal, other.len, other.expect, other.slot)
    }
}

/// One document as steps, while the scanner reads it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lesson {
    steps: Vec<Step>,
    /// The document has something that no step can express.
    spoiled: bool,
}

impl Lesson {
    pub(crate) fn begin(&mut self) {
        self.steps.clear();
        self.spoiled = false;
    }

    pub(crate) fn spoil(&mut self) {
        self.spoiled = true;
    }

    /// Adds `literal` and what stands behind it, `len` bytes long in this document.
    pub(crate) fn add(&mut self, literal: &[u8], expect: Expect, slot: Option<usize>, len: usize) {
        if self.spoiled || self.steps.len() + literal.len() / WIDE_BYTES >= MAX_STEPS_OF_A_SHAPE {
            self.spoiled = true;
            return;
        }
        let whole = literal.len().saturating_sub(1) / WIDE_BYTES * WIDE_BYTES;
        let (chunks, last) = literal.split_at_checked(whole).unwrap_or_default();
        for chunk in chunks.chunks(WIDE_BYTES) {
            self.steps.push(step(chunk, Expect::Literal, NONE, 0));
        }
        self.steps.push(step(last, expect, slot.map_or(NONE, |slot| slot as u32), len));
    }
}

/// `chunk` has at most 32 bytes.
fn step(chunk: &[u8], expect: Expect, slot: u32, len: usize) -> Step {
    let mut literal = [0; WIDE_BYTES];
    literal.iter_mut().zip(chunk).for_each(|(to, from)| *to = *from);
    let mask = ((1u64 << chunk.len()) - 1) as Mask;
    Step { literal, mask, len: chunk.len() as u32, expect, slot, otherwise: NONE, guess: Guess::new(len) }
}

/// What came of a lesson.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Learned {
    Yes,
    /// The lesson was spoiled, or taught nothing new.
    No,
    /// There was no room: all shapes were forgotten.
    Full,
}

/// The shapes known.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shapes {
    steps: Vec<Step>,
}

impl Shapes {
    pub(crate) fn learn(&mut self, lesson: &Lesson) -> Learned {
        if lesson.spoiled {
            return Learned::No;
        }
        if self.steps.len() + lesson.steps.len() > MAX_STEPS {
            self.steps.clear();
            return Learned::Full;
        }
        let mut at = 0;
        for (known, step) in lesson.steps.iter().enumerate() {
            // Among the alternatives here: the same step, or the last of them, where another can be hung on.
            while let Some(here) = self.steps.get(at)
                && !here.is_like(step)
                && here.otherwise != NONE
            {
                at = here.otherwise as usize;
            }
            let new = self.steps.len() as u32;
            match self.steps.get_mut(at) {
                Some(here) if here.is_like(step) => at += 1,
                here => {
                    if let Some(here) = here {
                        here.otherwise = new;
                    }
                    self.steps.extend_from_slice(lesson.steps.get(known..).unwrap_or_default());
                    return Learned::Yes;
                }
            }
        }
        Learned::No
    }

    /// Lets steps whose values changed their lengths too often guess once more.
    pub(crate) fn guess_again(&mut self) {
        self.steps.iter_mut().for_each(|step| step.guess.again());
    }

    /// True if `document` has a known shape: then it is valid, and `row` holds the values. Else `row` may hold anything.
    ///
    /// # Safety
    /// The CPU has the features that `W` names.
    #[inline(always)]
    pub(crate) unsafe fn find<W: Wide>(&mut self, document: Padded<'_>, row: &mut TokenRow<'_>) -> bool {
        let len = document.text.len();
        let (mut next, mut at) = (0, 0);
        // Of bytes in values that are not ASCII, the high bits.
        let mut high: Mask = 0;
        while let Some(step) = self.steps.get_mut(next) {
            // SAFETY: at <= len, always: it begins at 0, and `value` gives no more than len.
            let equal = unsafe { W::equal(document.at(at), &step.literal) };
            let behind = at + step.len as usize;
            let end = if equal & step.mask == step.mask && behind <= len {
                if step.expect == Expect::End && behind == len {
                    return high == 0 || std::str::from_utf8(document.text).is_ok();
                }
                // SAFETY: behind <= len.
                unsafe { step.value::<W>(document, behind, row, &mut high) }
            } else {
                None
            };
            match end {
                Some(end) => (next, at) = (next + 1, end),
                None if step.otherwise == NONE => return false,
                None => next = step.otherwise as usize,
            }
        }
        false
    }
}
