//! The first pass: where in each payload the value of each path lies, by the first of three tiers that knows.

use wasmill_core::records::{ABSENT, Record};

use crate::convert::BLOCK_ROWS;
use crate::scan::Scanner;
use crate::slow::{self, MAX_PAYLOAD_BYTES, Refusal};
use crate::template::{Learned, Lesson, Shapes};
use crate::token::{Token, TokenRow};
use crate::values::Padded;
use crate::wide::{Portable, Wide};
use wasmill_core::path::Segment;

/// Documents between two resets of the guesses that shapes make.
const GUESS_AGAIN_DOCUMENTS: u64 = 4096;

/// When there was no room for all shapes, so many unknown documents pass before shapes are learned again.
const LEARNING_PAUSE_DOCUMENTS: u64 = 4096;

/// How many documents each tier located.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tiers {
    pub known_shape: u64,
    pub scanned: u64,
    /// By serde_json, those refused included.
    pub slow: u64,
}

/// Finds the values of a set of paths in JSON payloads.
#[derive(Clone, Debug)]
pub(crate) struct Locator {
    /// The path to each slot, names only.
    slots: Vec<Vec<Segment>>,
    shapes: Shapes,
    scanner: Scanner,
    lesson: Lesson,
    /// Unknown documents until shapes are learned again.
    pause: u64,
    guess_again: u64,
    pub portable: bool,
    pub tiers: Tiers,
}

impl Locator {
    pub(crate) fn new(slots: Vec<Vec<String>>) -> Self {
        let scanner = Scanner::new(&slots);
        let slots = slots.into_iter().map(|names| names.into_iter().map(Segment::Name).collect()).collect();
        Locator {
            slots,
            shapes: Shapes::default(),
            scanner,
            lesson: Lesson::default(),
            pause: 0,
            guess_again: GUESS_AGAIN_DOCUMENTS,
            portable: false,
            tiers: Tiers::default(),
        }
    }

    /// Fills `tokens[slot * BLOCK_ROWS + row]` for the rows of a block, at most [`BLOCK_ROWS`]. Payloads that cannot be used are
    /// added to `refused` with their row in the block; their tokens stay missing, as do those of tombstones.
    pub(crate) fn locate(
        &mut self,
        buffer: &[u8],
        block: &[Record],
        tokens: &mut [Token],
        refused: &mut Vec<(usize, Refusal)>,
    ) {
        tokens.fill(Token::MISSING);
        self.guess_again = self.guess_again.saturating_sub(block.len() as u64);
        if self.guess_again == 0 {
            self.guess_again = GUESS_AGAIN_DOCUMENTS;
            self.shapes.guess_again();
        }
        #[cfg(target_arch = "x86_64")]
        if !self.portable && is_x86_feature_detected!("avx2") && is_x86_feature_detected!("bmi1") {
            // SAFETY: the CPU has both features.
            return unsafe { self.locate_avx2(buffer, block, tokens, refused) };
        }
        // SAFETY: `Portable` needs no feature.
        unsafe { self.locate_by::<Portable>(buffer, block, tokens, refused) }
    }

    /// The same code, compiled for a CPU with AVX2 and BMI1.
    ///
    /// # Safety
    /// The CPU has both.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi1")]
    unsafe fn locate_avx2(
        &mut self,
        buffer: &[u8],
        block: &[Record],
        tokens: &mut [Token],
        refused: &mut Vec<(usize, Refusal)>,
    ) {
        // SAFETY: passed on from the caller.
        unsafe { self.locate_by::<crate::wide::Avx2>(buffer, block, tokens, refused) }
    }

    /// # Safety
    /// The CPU has the features that `W` names.
    #[inline(always)]
    unsafe fn locate_by<W: Wide>(
        &mut self,
        buffer: &[u8],
        block: &[Record],
        tokens: &mut [Token],
        refused: &mut Vec<(usize, Refusal)>,
    ) {
        for (row, record) in block.iter().enumerate() {
            if record.value == ABSENT {
                continue;
            }
            let (base, len) = (record.value.start, record.value.len as usize);
            let start = base as usize;
            let mut token_row = TokenRow { tokens: &mut *tokens, row, stride: BLOCK_ROWS, base };
            if let Some(document) = Padded::new(buffer, start, len)
                && len <= MAX_PAYLOAD_BYTES
                // SAFETY: passed on from the caller.
                && unsafe { self.shapes.find::<W>(document, &mut token_row) }
            {
                self.tiers.known_shape += 1;
                continue;
            }
            let payload = buffer.get(start..start + len).unwrap_or_default();
            if let Err(refusal) = self.locate_unknown(payload, &mut token_row) {
                refused.push((row, refusal));
            }
        }
    }

    #[inline(never)]
    fn locate_unknown(&mut self, payload: &[u8], row: &mut TokenRow<'_>) -> Result<(), Refusal> {
        row.clear();
        if payload.len() <= MAX_PAYLOAD_BYTES && self.scanner.scan(payload, row, &mut self.lesson).is_ok() {
            self.tiers.scanned += 1;
            self.learn();
            return Ok(());
        }
        row.clear();
        self.tiers.slow += 1;
        let document = slow::validate(payload)?;
        let object = document.trim_ascii_start();
        let base = row.base + (document.len() - object.len()) as u32;
        for (slot, path) in self.slots.iter().enumerate() {
            row.put(slot, slow::find(object, base, path));
        }
        Ok(())
    }

    fn learn(&mut self) {
        if self.pause > 0 {
            self.pause -= 1;
        } else if self.shapes.learn(&self.lesson) == Learned::Full {
            // The first time, coarser shapes may be few enough.
            self.pause = if self.scanner.skim { LEARNING_PAUSE_DOCUMENTS } else { 0 };
            self.scanner.skim = true;
        }
    }
}
