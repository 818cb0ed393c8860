//! Events of W2 in memory, as a consumer would hand them over. They are made once; each pass moves their times on.

use wasmill::produce::{Events, Shape, UseCase};
use wasmill_core::batch::SLACK_BYTES;
use wasmill_core::records::{ABSENT, Record, Records, Span};
use wasmill_core::time::{MICROSECOND, MILLISECOND, Nanos, SECOND};

use crate::Result;

/// Events of one pass.
pub const EVENTS: usize = 1_000_000;
/// Event time from one event to the next: 100,000 events a second, so a pass is 10 s.
pub const STEP: Nanos = 10 * MICROSECOND;
/// 2025-01-01: long ago enough not to lie in the future.
pub const START: Nanos = 1_735_689_600 * SECOND;
/// What the consumer hands over at once, about 512 KiB.
const PIECE_RECORDS: usize = 2_300;
/// Records lie this far inside their buffer.
const LEAD_BYTES: usize = 32;
const KEY_DIGITS: usize = 7;
const TIME_DIGITS: usize = 13;

/// One pass of events of one partition.
pub struct Pass {
    pub pieces: Vec<Records>,
    /// How many of them are views.
    pub views: u64,
    /// Where the digits of each event's ad and time lie in its piece.
    places: Vec<Vec<(usize, usize)>>,
}

impl Pass {
    /// Events with 1,000 ads.
    ///
    /// # Errors
    /// The generator's events do not look as this module expects.
    pub fn new() -> Result<Self> {
        let shape = Shape {
            use_case: UseCase::Ads,
            seed: 1,
            start: START,
            step: STEP,
            disorder: 0,
            late: 0.0,
            late_by: 0,
            malformed: 0.0,
        };
        let mut events = Events::new(shape);
        let mut pass = Pass { pieces: Vec::new(), views: 0, places: Vec::new() };
        for first in (0..EVENTS).step_by(PIECE_RECORDS) {
            let mut piece = Records { buffer: vec![0; LEAD_BYTES], records: Vec::new() };
            let mut places = Vec::new();
            for offset in first..EVENTS.min(first + PIECE_RECORDS) {
                let event = events.next(None);
                let text = String::from_utf8(event.value)?;
                let text = text.replace(r#""ad_id":"ad-"#, r#""ad_id":"ad-0000"#);
                pass.views += u64::from(text.contains(r#""event_type":"view""#));
                let start = piece.buffer.len();
                let place = |name: &str| text.find(name).map(|at| start + at + name.len());
                let found = place(r#""ad_id":"ad-"#).zip(place(r#""event_time":"#));
                places.push(found.ok_or("an event without an ad or a time")?);
                piece.buffer.extend_from_slice(text.as_bytes());
                piece.records.push(Record {
                    offset: offset as i64,
                    timestamp_ms: event.time / MILLISECOND,
                    key: ABSENT,
                    value: Span { start: start as u32, len: text.len() as u32 },
                    headers: ABSENT,
                });
            }
            piece.buffer.extend([0; SLACK_BYTES]);
            pass.pieces.push(piece);
            pass.places.push(places);
        }
        Ok(pass)
    }

    /// Gives the events other ads, out of `count`; other ones by another seed.
    pub fn set_keys(&mut self, count: u64, seed: u64) {
        let mut random = fastrand::Rng::with_seed(seed);
        for (piece, places) in self.pieces.iter_mut().zip(&self.places) {
            for &(ad, _) in places {
                write_digits(&mut piece.buffer[ad..ad + KEY_DIGITS], random.u64(0..count));
            }
        }
    }

    /// The pass behind this one: the same events, as much later as a pass is long.
    pub fn advance(&mut self) {
        let step_ms = STEP * EVENTS as Nanos / MILLISECOND;
        for (piece, places) in self.pieces.iter_mut().zip(&self.places) {
            for (record, &(_, time)) in piece.records.iter_mut().zip(places) {
                record.offset += EVENTS as i64;
                record.timestamp_ms += step_ms;
                write_digits(&mut piece.buffer[time..time + TIME_DIGITS], record.timestamp_ms.unsigned_abs());
            }
        }
    }
}

fn write_digits(into: &mut [u8], mut number: u64) {
    for digit in into.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}
