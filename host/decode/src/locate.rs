//! The first pass: where in each payload the value of each path lies.

use wasmill_core::records::Record;

use crate::convert::BLOCK_ROWS;
use crate::path::Segment;
use crate::slow::{self, Refusal};
use crate::token::Token;

/// Finds the values of a set of paths in JSON payloads.
#[derive(Clone, Debug)]
pub(crate) struct Locator {
    /// The path to each slot, names only.
    slots: Vec<Vec<Segment>>,
}

impl Locator {
    pub(crate) fn new(slots: Vec<Vec<String>>) -> Self {
        let slots = slots.into_iter().map(|names| names.into_iter().map(Segment::Name).collect()).collect();
        Locator { slots }
    }

    /// Fills `tokens[slot * BLOCK_ROWS + row]` for the rows of a block; calls `refuse` for payloads that cannot be used, whose
    /// tokens stay missing, as do those of tombstones.
    pub(crate) fn locate(
        &mut self,
        buffer: &[u8],
        block: &[Record],
        tokens: &mut [Token],
        mut refuse: impl FnMut(usize, Refusal),
    ) {
        tokens.fill(Token::MISSING);
        for (row, record) in block.iter().enumerate() {
            let start = record.value.start as usize;
            let Some(payload) = buffer.get(start..start + record.value.len as usize) else { continue };
            match slow::validate(payload) {
                Ok(document) => {
                    for (slot, path) in self.slots.iter().enumerate() {
                        if let Some(token) = tokens.get_mut(slot * BLOCK_ROWS + row) {
                            *token = slow::find(
                                document.trim_ascii_start(),
                                (start + document.len() - document.trim_ascii_start().len()) as u32,
                                path,
                            );
                        }
                    }
                }
                Err(refusal) => refuse(row, refusal),
            }
        }
    }
}
