//! Tumbling, sliding and rollup windows of one partition.

use std::collections::BTreeMap;

use proptest::prelude::*;
use wasmill_core::plan::WindowSpec;
use wasmill_core::time::{DAY, HOUR, MINUTE, Nanos};

use super::model::{Expected, expect};
use super::scenario::{Event, Partition, Setup, events};
use super::toy::{Point, Rows};

pub fn specs() -> impl Strategy<Value = WindowSpec> {
    let offset = -7..9i64;
    prop_oneof![
        (1..25i64, offset.clone()).prop_map(|(size, offset)| WindowSpec::Tumbling {
            sizes: vec![size],
            offset,
            timezone: None
        }),
        (1..8i64, 2..5i64, 2..4i64, offset.clone()).prop_map(|(size, a, b, offset)| WindowSpec::Tumbling {
            sizes: vec![size, size * a, size * a * b],
            offset,
            timezone: None
        }),
        (1..9i64, 1..16i64, 0..9i64, offset).prop_map(|(every, times, more, offset)| WindowSpec::Sliding {
            size: every * times + more % every,
            every,
            offset
        }),
    ]
}

pub fn setups() -> impl Strategy<Value = Setup> {
    let lateness = prop_oneof![Just(0i64), 1..40i64];
    (specs(), lateness, 0..10i64, 0..3usize).prop_map(|(spec, lateness, out_of_orderness, key_parts)| Setup {
        spec,
        lateness,
        out_of_orderness,
        key_parts,
    })
}

pub fn cuts() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(prop_oneof![1..4usize, 1..60usize], 1..30)
}

/// 2026-02-20T00:00:00Z; scenarios begin 1000 steps after it.
const SPRING_2026: Nanos = 1_771_545_600_000_000_000;

/// Runs to the end in batches of the given sizes, over and over; `early`: after which batches to fire early.
pub fn run(partition: &mut Partition<'_>, cuts: &[usize], early: Nanos) {
    for (batch, cut) in cuts.iter().cycle().enumerate() {
        if partition.done() {
            break;
        }
        partition.fold(*cut);
        partition.advance();
        if early > 0 && batch as Nanos % early == 0 {
            partition.windower.early(&mut partition.states).unwrap();
        }
    }
    partition.finish();
}

fn expected(setup: &Setup, events: &[Event]) -> Expected {
    let mut expected = Expected::default();
    expect(setup, events, 0, &mut expected);
    expected
}

/// Commits after batch `commit`, loses all after `lost` more batches, replays, and returns the last emission of each point.
pub fn crash_and_replay(
    setup: &Setup,
    events: &[Event],
    (cuts, others): (&[usize], &[usize]),
    commit: usize,
    lost: usize,
) -> BTreeMap<Point, Rows> {
    let mut first = Partition::new(setup, events);
    let mut committed = None;
    for (batch, cut) in cuts.iter().cycle().enumerate().take(commit + 1 + lost) {
        if first.done() {
            break;
        }
        first.fold(*cut);
        first.advance();
        if batch <= commit {
            committed = Some((first.position, first.windower.low_mark(), first.watermark));
        }
    }
    let (position, low, watermark) = committed.unwrap();
    let before = first.states.emitted;

    let mut second = Partition::new(setup, events);
    second.watermark = watermark;
    second.position = position;
    if let Some(low) = low {
        second.position = low.offset as usize;
        second.watermark.restore(low.running_max, low.floor);
    }
    second.states.muted = true;
    let mut others = others.iter().cycle();
    while second.position < position {
        second.fold((*others.next().unwrap()).min(position - second.position));
        second.advance();
    }
    second.watermark.raise(watermark.current());
    second.advance();
    second.states.muted = false;
    second.states.emitted = before;
    while !second.done() {
        second.fold(*others.next().unwrap());
        second.advance();
    }
    second.finish();
    second.states.last()
}

proptest! {
    #[test]
    fn every_cut_into_batches_gives_the_models_rows(
        setup in setups(), events in events(300, true), cuts in cuts(), early in 0..4i64,
    ) {
        let mut partition = Partition::new(&setup, &events);
        run(&mut partition, &cuts, early);
        let got = Expected { on_time: partition.states.on_time(), last: partition.states.last(), late: partition.late };
        prop_assert_eq!(got, expected(&setup, &events));
    }

    #[test]
    fn rollups_of_local_days_nest_in_every_zone(
        zone in prop::sample::select(vec!["Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", "Australia/Lord_Howe"]),
        (sizes, offset) in prop::sample::select(vec![(vec![HOUR, DAY], 0), (vec![6 * HOUR, DAY], 0), (vec![30 * MINUTE, 6 * HOUR, DAY], 2 * HOUR), (vec![DAY], -HOUR)]),
        lateness in prop_oneof![Just(0), Just(5 * HOUR)], mut events in events(300, true), cuts in cuts(),
    ) {
        let spec = WindowSpec::Tumbling { sizes, offset, timezone: Some(zone.to_owned()) };
        let setup = Setup { spec, lateness, out_of_orderness: HOUR, key_parts: 1 };
        // Steps of 20 minutes from the middle of March 2026: the clocks of these zones change within the next three weeks.
        for event in &mut events {
            event.time = SPRING_2026 + event.time * 20 * MINUTE;
            event.raise = event.raise.map(|raise| SPRING_2026 + raise * 20 * MINUTE);
        }
        let mut partition = Partition::new(&setup, &events);
        run(&mut partition, &cuts, 0);
        let got = Expected { on_time: partition.states.on_time(), last: partition.states.last(), late: partition.late };
        prop_assert_eq!(got, expected(&setup, &events));
    }

    #[test]
    fn a_crash_and_a_replay_from_the_low_mark_change_no_final_row(
        setup in setups(), events in events(300, true), cuts in cuts(), others in cuts(), commit in 0..40usize, lost in 0..5usize,
    ) {
        let last = crash_and_replay(&setup, &events, (&cuts, &others), commit, lost);
        prop_assert_eq!(last, expected(&setup, &events).last);
    }
}
