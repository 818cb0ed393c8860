//! Many partitions behind one exchange.

use proptest::prelude::*;
use wasmill_core::time::{BEGINNING, END};

use super::grids::setups;
use super::model::{Expected, expect};
use super::scenario::{Event, Partition, events};
use super::toy::Toy;

const ROWS_APART: u64 = 1 << 32;

proptest! {
    #[test]
    fn any_interleaving_of_partitions_gives_the_models_rows(
        setup in setups(),
        partitions in prop::collection::vec(events(120, true), 1..4),
        turns in prop::collection::vec((0..4usize, 1..30usize, any::<bool>(), any::<bool>(), prop::bool::weighted(0.1)), 1..60),
    ) {
        let mut senders: Vec<Partition<'_>> = partitions.iter().map(|events: &Vec<Event>| Partition::new(&setup, events)).collect();
        let mut expected = Expected::default();
        for (number, sender) in senders.iter_mut().enumerate() {
            sender.base = number as u64 * ROWS_APART;
            expect(&setup, sender.events, sender.base, &mut expected);
        }
        sort_rows(&mut expected);
        let mut receiver = setup.windower();
        let mut states = Toy::default();
        let mut reached = vec![BEGINNING; senders.len()];
        for (turn, most, everything, advance, early) in turns.iter().cycle() {
            let open: Vec<usize> = (0..senders.len()).filter(|number| !senders[*number].done()).collect();
            if open.is_empty() {
                break;
            }
            let number = open[turn % open.len()];
            let sender = &mut senders[number];
            sender.send(*most);
            let watermark = sender.watermark.current();
            for delta in sender.windower.drain(watermark, *everything, &mut sender.states).unwrap() {
                receiver.absorb(&delta, &mut states).unwrap();
            }
            reached[number] = watermark;
            if *advance {
                let least = *reached.iter().min().unwrap();
                receiver.advance(least, &mut states).unwrap();
                senders.iter_mut().for_each(|sender| sender.windower.release(least));
            }
            if *early {
                receiver.early(&mut states).unwrap();
            }
        }
        for sender in &mut senders {
            for delta in sender.windower.drain(END, false, &mut sender.states).unwrap() {
                receiver.absorb(&delta, &mut states).unwrap();
            }
            prop_assert_eq!((sender.windower.slots(), sender.states.left()), (0, 0));
        }
        receiver.advance(END, &mut states).unwrap();
        prop_assert_eq!((receiver.slots(), states.left()), (0, 0));
        let mut late = Vec::new();
        for sender in &mut senders {
            sender.windower.release(END);
            prop_assert_eq!(sender.windower.low_mark(), None);
            late.append(&mut sender.late);
        }
        let got = Expected { on_time: states.on_time(), last: states.last(), late };
        prop_assert_eq!(got, expected);
    }
}

fn sort_rows(expected: &mut Expected) {
    expected.on_time.values_mut().chain(expected.last.values_mut()).for_each(|rows| rows.sort_unstable());
}
