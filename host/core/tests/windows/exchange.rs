//! Many partitions behind one exchange.

use proptest::prelude::*;
use wasmill_core::time::{BEGINNING, END, Nanos};
use wasmill_core::window::{Closed, Side, Windower};

use super::grids::setups;
use super::model::{Expected, expect};
use super::scenario::{Event, Partition, Setup, events};
use super::toy::Toy;

pub const ROWS_APART: u64 = 1 << 32;

/// What happens next: which partition goes on, by how many events, whether it gives away everything, and whether the exchange
/// advances or fires early after it.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    partition: usize,
    most: usize,
    everything: bool,
    advance: bool,
    early: bool,
}

pub fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let turn = (0..4usize, 1..30usize, any::<bool>(), any::<bool>(), prop::bool::weighted(0.1));
    let turn = turn.prop_map(|(partition, most, everything, advance, early)| Turn {
        partition,
        most,
        everything,
        advance,
        early,
    });
    prop::collection::vec(turn, 1..60)
}

pub struct Exchange<'a> {
    pub senders: Vec<Partition<'a>>,
    pub receiver: Windower,
    pub states: Toy,
    /// How far each partition had come when it was last drained.
    reached: Vec<Nanos>,
    pub advanced: Nanos,
}

impl<'a> Exchange<'a> {
    pub fn new(setup: &'a Setup, partitions: &'a [Vec<Event>]) -> Self {
        let mut senders: Vec<_> = partitions.iter().map(|events| Partition::new(setup, events)).collect();
        for (number, sender) in senders.iter_mut().enumerate() {
            sender.base = number as u64 * ROWS_APART;
            sender.windower = setup.side(Side::Sender);
        }
        let reached = vec![BEGINNING; senders.len()];
        Exchange { senders, receiver: setup.side(Side::Receiver), states: Toy::default(), reached, advanced: BEGINNING }
    }

    pub fn drain(&mut self, number: usize, everything: bool) {
        let sender = &mut self.senders[number];
        let watermark = sender.watermark.current();
        for delta in sender.windower.drain(watermark, everything, &mut sender.states).unwrap() {
            self.receiver.absorb(&delta, &mut self.states).unwrap();
        }
        self.reached[number] = watermark;
    }

    /// Advances to what all partitions have reached, but no further than `limit`.
    pub fn advance(&mut self, limit: Nanos) {
        self.advanced = self.advanced.max(limit.min(*self.reached.iter().min().unwrap()));
        self.receiver.advance(self.advanced, &mut self.states).unwrap();
    }

    /// As a checkpoint does with what it has read of the receiver.
    pub fn release(&mut self, closed: Closed) {
        for sender in &mut self.senders {
            sender.windower.release(closed);
        }
    }

    /// One turn among the partitions that are not yet at `until`; false if there is none.
    pub fn turn(&mut self, turn: Turn, until: &[usize], limit: Nanos) -> bool {
        let open: Vec<usize> =
            (0..until.len()).filter(|number| self.senders[*number].position < until[*number]).collect();
        if open.is_empty() {
            return false;
        }
        let number = open[turn.partition % open.len()];
        let sender = &mut self.senders[number];
        sender.send(turn.most.min(until[number] - sender.position));
        self.drain(number, turn.everything);
        if turn.advance {
            self.advance(limit);
        }
        if turn.early {
            self.receiver.early(&mut self.states).unwrap();
        }
        true
    }

    pub fn finish(&mut self) {
        for number in 0..self.senders.len() {
            self.senders[number].watermark.raise(END);
            self.drain(number, false);
            assert_eq!((self.senders[number].windower.slots(), self.senders[number].states.left()), (0, 0));
        }
        self.advance(END);
        self.release(self.receiver.closed());
        assert_eq!((self.receiver.slots(), self.states.left()), (0, 0));
        assert!(self.senders.iter().all(|sender| sender.windower.low_mark().is_none()));
    }
}

fn expected(setup: &Setup, partitions: &[Vec<Event>]) -> Expected {
    let mut expected = Expected::default();
    for (number, events) in partitions.iter().enumerate() {
        expect(setup, events, number as u64 * ROWS_APART, &mut expected);
    }
    expected.on_time.values_mut().chain(expected.last.values_mut()).for_each(|rows| rows.sort_unstable());
    expected
}

proptest! {
    #[test]
    fn any_interleaving_of_partitions_gives_the_models_rows(
        setup in setups(), partitions in prop::collection::vec(events(120, true), 1..4), turns in turns(),
    ) {
        let mut exchange = Exchange::new(&setup, &partitions);
        let all: Vec<usize> = partitions.iter().map(Vec::len).collect();
        let mut turns = turns.iter().cycle();
        while exchange.turn(*turns.next().unwrap(), &all, END) {}
        exchange.finish();
        let late = exchange.senders.iter().flat_map(|sender| sender.late.iter().copied()).collect();
        let got = Expected { on_time: exchange.states.on_time(), last: exchange.states.last(), late };
        prop_assert_eq!(got, expected(&setup, &partitions));
    }

    #[test]
    fn a_crash_and_a_replay_of_all_partitions_change_no_final_row(
        setup in setups(), partitions in prop::collection::vec(events(120, true), 1..4),
        turns in turns(), others in turns(), commit in 0..60usize, lost in 0..5usize,
    ) {
        let all: Vec<usize> = partitions.iter().map(Vec::len).collect();
        let mut first = Exchange::new(&setup, &partitions);
        let mut committed = None;
        for (number, turn) in turns.iter().cycle().enumerate().take(commit + 1 + lost) {
            if !first.turn(*turn, &all, END) {
                break;
            }
            if number <= commit {
                // A checkpoint takes place after an advance, so that no correction is outstanding.
                first.advance(END);
                first.release(first.receiver.closed());
                let marks: Vec<_> = first.senders.iter().map(|s| (s.position, s.windower.low_mark(), s.watermark)).collect();
                committed = Some((marks, first.advanced));
            }
        }
        let (marks, advanced) = committed.unwrap();

        let mut second = Exchange::new(&setup, &partitions);
        second.states.muted = true;
        for (sender, (position, low, watermark)) in second.senders.iter_mut().zip(&marks) {
            (sender.position, sender.watermark) = (*position, *watermark);
            if let Some(low) = low {
                sender.position = low.offset as usize;
                sender.watermark.restore(low.running_max, low.floor);
            }
        }
        let positions: Vec<usize> = marks.iter().map(|(position, ..)| *position).collect();
        let mut others = others.iter().cycle();
        while second.turn(*others.next().unwrap(), &positions, advanced) {}
        for (number, (_, _, watermark)) in marks.iter().enumerate() {
            second.senders[number].watermark.raise(watermark.current());
            second.drain(number, false);
        }
        second.advance(advanced);
        second.states.muted = false;
        second.states.emitted = first.states.emitted;
        while second.turn(*others.next().unwrap(), &all, END) {}
        second.finish();
        prop_assert_eq!(second.states.last(), expected(&setup, &partitions).last);
    }
}
