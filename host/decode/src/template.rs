//! The first tier: shapes of documents seen before.
//!
//! A shape is a row of steps: literal bytes that every document of the shape has (keys, colons, commas, white space), each
//! followed by a value that differs. Literals are compared 32 bytes at a time; the length of each value is guessed from the last
//! document, which turns a chain of loads into a branch that the CPU predicts. A document that matches all steps is valid JSON,
//! because the document that taught the shape was, and the values are checked.
//!
//! Shapes share their beginnings: steps are a tree. Where a step does not match, its alternative at the same place is tried.

use crate::syntax;
use crate::token::{Class, MAX_DIGITS, TokenRow};
use crate::wide::{Mask, WIDE_BYTES, Wide};

/// Steps kept, 64 bytes each, of all shapes together: they should stay in the first-level cache.
const MAX_STEPS: usize = 512;

/// Longer shapes are not learned.
const MAX_STEPS_OF_A_SHAPE: usize = 128;

/// After so many wrong guesses of a value's length, no more are made until [`Shapes::guess_again`].
const MAX_WRONG_GUESSES: u32 = 40;

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
    /// The length of the value the last time; [`NONE`] while no guess is made.
    guess: u32,
    /// Bit `guess % 32`: what is compared. Comparing the length itself would let the compiler take the one that was just
    /// computed, and the next step would have to wait for it.
    guess_bit: Mask,
    wrong_guesses: u32,
}

impl Step {
    fn is_like(&self, other: &Step) -> bool {
        (self.literal, self.len, self.expect, self.slot) == (other.literal, other.len, other.expect, other.slot)
    }

    /// Whether `stops`, of a look at the value's start (`look`: 0) or 32 bytes on (1), ends the value where it was guessed.
    #[inline(always)]
    fn is_guessed(&self, stops: Mask, look: u32) -> bool {
        self.guess / WIDE_BYTES as u32 == look && stops & stops.wrapping_neg() == self.guess_bit
    }

    #[inline(always)]
    fn guessed_wrong(&mut self, len: usize) {
        self.wrong_guesses = self.wrong_guesses.saturating_add(1);
        self.guess = if self.wrong_guesses > MAX_WRONG_GUESSES { NONE } else { len as u32 };
        self.guess_bit = 1 << (len % WIDE_BYTES);
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
        self.steps.push(step(last, expect, slot.map_or(NONE, |slot| slot as u32), len as u32));
    }
}

/// `chunk` has at most 32 bytes.
fn step(chunk: &[u8], expect: Expect, slot: u32, guess: u32) -> Step {
    let mut literal = [0; WIDE_BYTES];
    literal.iter_mut().zip(chunk).for_each(|(to, from)| *to = *from);
    let mask = ((1u64 << chunk.len()) - 1) as Mask;
    Step {
        literal,
        mask,
        len: chunk.len() as u32,
        expect,
        slot,
        otherwise: NONE,
        guess,
        guess_bit: 1 << (guess % 32),
        wrong_guesses: 0,
    }
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

/// A document that may be read beyond its end.
#[derive(Clone, Copy)]
pub(crate) struct Padded<'a> {
    text: &'a [u8],
    /// The same, with the bytes behind.
    padded: &'a [u8],
}

/// Bytes behind a document that matching may read: one look from its end on.
pub(crate) const PADDING_BYTES: usize = WIDE_BYTES;

impl<'a> Padded<'a> {
    /// The document at `start` of `buffer`, if it has [`PADDING_BYTES`] behind it.
    #[inline(always)]
    pub(crate) fn new(buffer: &'a [u8], start: usize, len: usize) -> Option<Self> {
        let padded = buffer.get(start..start + len + PADDING_BYTES)?;
        Some(Padded { text: padded.get(..len)?, padded })
    }

    /// # Safety
    /// `at` is at most the document's length: then [`PADDING_BYTES`] are readable from there on.
    #[inline(always)]
    unsafe fn at(self, at: usize) -> *const u8 {
        // SAFETY: `padded` is longer than the document by PADDING_BYTES.
        unsafe { self.padded.as_ptr().add(at) }
    }

    #[inline(always)]
    fn byte(self, at: usize) -> u8 {
        self.text.get(at).copied().unwrap_or(0)
    }
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
        for step in self.steps.iter_mut().filter(|step| step.wrong_guesses > 0) {
            step.wrong_guesses = 0;
            step.guess = step.guess_bit.trailing_zeros();
        }
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
                unsafe { value::<W>(step, document, behind, row, &mut high) }
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

/// The end of the value that `step` expects at `at`; sets its token.
///
/// # Safety
/// `at` is at most the document's length; the CPU has the features that `W` names.
#[inline(always)]
unsafe fn value<W: Wide>(
    step: &mut Step,
    document: Padded<'_>,
    at: usize,
    row: &mut TokenRow<'_>,
    high: &mut Mask,
) -> Option<usize> {
    let (class, end) = match step.expect {
        // SAFETY: passed on from the caller.
        Expect::Text => unsafe { text::<W>(step, document, at, high)? },
        // SAFETY: passed on from the caller.
        Expect::Number => unsafe { number::<W>(step, document, at)? },
        Expect::Word => syntax::word(document.text, at).map(|(class, len)| (class, at + len))?,
        Expect::Literal => return Some(at),
        Expect::Whole { depth } => {
            let whole = whole(document.text, at, depth)?;
            *high |= Mask::from(!whole.ascii);
            (whole.class, whole.end)
        }
        Expect::Open => (Class::Object, at),
        Expect::Close => {
            row.close(step.slot as usize, at);
            return Some(at);
        }
        Expect::End => return None,
    };
    if step.slot != NONE {
        row.set(step.slot as usize, class, at, end - at);
    }
    Some(end)
}

/// # Safety
/// As for [`value`].
#[inline(always)]
unsafe fn text<W: Wide>(
    step: &mut Step,
    document: Padded<'_>,
    start: usize,
    high: &mut Mask,
) -> Option<(Class, usize)> {
    // SAFETY: start <= len.
    let (stops, not_ascii) = unsafe { W::stops(document.at(start)) };
    let mut end = start;
    if step.is_guessed(stops, 0) {
        *high |= not_ascii & (step.guess_bit - 1);
        end += step.guess as usize;
    } else if stops != 0 {
        let len = stops.trailing_zeros();
        *high |= not_ascii & ((1 << len) - 1);
        end += len as usize;
        step.guessed_wrong(len as usize);
    } else {
        *high |= not_ascii;
        // SAFETY: passed on from the caller.
        end = unsafe { long_text::<W>(step, document, start, high)? };
    }
    match document.byte(end) {
        b'"' => Some((Class::Text, end)),
        b'\\' => {
            let escaped = escaped_text(document.text, end)?;
            *high |= Mask::from(!escaped.ascii);
            Some((escaped.class, escaped.end))
        }
        _ => None,
    }
}

/// The first stop of the text at `start`, whose first 32 bytes have none.
///
/// # Safety
/// As for [`value`].
#[inline(always)]
unsafe fn long_text<W: Wide>(step: &mut Step, document: Padded<'_>, start: usize, high: &mut Mask) -> Option<usize> {
    let mut at = start + WIDE_BYTES;
    loop {
        if at > document.text.len() {
            return None;
        }
        // SAFETY: at <= len.
        let (stops, not_ascii) = unsafe { W::stops(document.at(at)) };
        if at == start + WIDE_BYTES && step.is_guessed(stops, 1) {
            *high |= not_ascii & (step.guess_bit - 1);
            return Some(start + step.guess as usize);
        }
        if stops != 0 {
            let len = stops.trailing_zeros();
            *high |= not_ascii & ((1 << len) - 1);
            let end = at + len as usize;
            step.guessed_wrong(end - start);
            return Some(end);
        }
        *high |= not_ascii;
        at += WIDE_BYTES;
    }
}

/// A value that was walked byte by byte.
struct Walked {
    class: Class,
    end: usize,
    ascii: bool,
}

/// The rest of a text, from its first escape on.
#[inline(never)]
fn escaped_text(text: &[u8], at: usize) -> Option<Walked> {
    let end = syntax::text_end(text, at)?.quote;
    Some(Walked { class: Class::Escaped, end, ascii: text.get(at..end)?.is_ascii() })
}

/// # Safety
/// As for [`value`].
#[inline(always)]
unsafe fn number<W: Wide>(step: &mut Step, document: Padded<'_>, start: usize) -> Option<(Class, usize)> {
    // SAFETY: start <= len.
    let others = unsafe { W::not_digits(document.at(start)) };
    let len = if step.is_guessed(others, 0) {
        step.guess as usize
    } else {
        let len = others.trailing_zeros() as usize;
        step.guessed_wrong(len);
        len
    };
    let end = start + len;
    let leading_zero = len > 1 && document.byte(start) == b'0';
    if len == 0 || len > MAX_DIGITS || leading_zero || matches!(document.byte(end), b'.' | b'e' | b'E') {
        let end = syntax::number_end(document.text, start)?;
        return Some((Class::Number, end));
    }
    // Behind the end of the document there may be digits, too; a number is never the last of it.
    (end < document.text.len()).then_some((Class::Digits, end))
}

#[inline(never)]
fn whole(text: &[u8], at: usize, depth: u8) -> Option<Walked> {
    let class = match text.get(at)? {
        b'{' => Class::Object,
        b'[' => Class::Array,
        _ => return None,
    };
    let end = syntax::value_end(text, at, usize::from(depth))?;
    Some(Walked { class, end, ascii: text.get(at..end)?.is_ascii() })
}
