//! Session windows over keys that are spread over partitions.

use std::collections::BTreeMap;

use proptest::prelude::*;
use wasmill_core::plan::WindowSpec;
use wasmill_core::time::{BEGINNING, END, Nanos, Window};
use wasmill_core::watermark::Watermark;
use wasmill_core::window::{Closed, LowMark};

use super::exchange::{Exchange, ROWS_APART, Turn, turns};
use super::model::Expected;
use super::scenario::{Event, Setup, events, watermarks};

/// The rows that are not late, by time, in one pass.
fn expected(setup: &Setup, partitions: &[Vec<Event>]) -> Expected {
    let WindowSpec::Session { gap, max } = setup.spec else { unreachable!() };
    let half = max / 2;
    let mut expected = Expected::default();
    let mut rows: BTreeMap<String, Vec<(Nanos, u64)>> = BTreeMap::new();
    for (number, events) in partitions.iter().enumerate() {
        for (offset, (event, watermark)) in events.iter().zip(watermarks(setup, events)).enumerate() {
            let id = number as u64 * ROWS_APART + offset as u64;
            if event.invalid || event.filtered {
                continue;
            }
            if watermark != BEGINNING && event.time + setup.lateness <= watermark {
                expected.late.push(id);
            } else {
                rows.entry(setup.key(event)).or_default().push((event.time, id));
            }
        }
    }
    for (key, mut rows) in rows {
        rows.sort_unstable();
        let mut sessions: Vec<Vec<(Nanos, u64)>> = Vec::new();
        for (time, id) in rows {
            let goes_on = sessions.last().is_some_and(|session: &Vec<(Nanos, u64)>| {
                let (first, last) = (session[0].0, session[session.len() - 1].0);
                let line = time.div_euclid(half) * half;
                time - last < gap && (first >= line || first >= line - half + gap)
            });
            match sessions.last_mut().filter(|_| goes_on) {
                Some(session) => session.push((time, id)),
                None => sessions.push(vec![(time, id)]),
            }
        }
        for session in sessions {
            let window = Window { start: session[0].0, end: session[session.len() - 1].0 + gap };
            assert!(window.end - window.start <= max);
            let mut ids: Vec<u64> = session.into_iter().map(|(_, id)| id).collect();
            ids.sort_unstable();
            expected.on_time.insert((key.clone(), window, None), ids.clone());
            expected.last.insert((key.clone(), window, None), ids);
        }
    }
    expected
}

fn setups() -> impl Strategy<Value = Setup> {
    let spec = (1..12i64, prop_oneof![2..5i64, 2..40i64, Just(100_000)])
        .prop_map(|(gap, times)| WindowSpec::Session { gap, max: gap * times });
    let lateness = prop_oneof![Just(0i64), 1..40i64];
    (spec, lateness, 0..10i64, 0..3usize).prop_map(|(spec, lateness, out_of_orderness, key_parts)| Setup {
        spec,
        lateness,
        out_of_orderness,
        key_parts,
    })
}

/// What a commit says of a partition.
#[derive(Clone, Copy)]
struct Commit {
    position: usize,
    low: Option<LowMark>,
    watermark: Watermark,
}

/// As the host does it: what is read of the receiver first, and the same for all, decides what each partition lets go of at its
/// own position later on.
fn commit(exchange: &mut Exchange<'_>, closed: Closed) -> Vec<Commit> {
    exchange.advance(END);
    exchange.release(closed);
    let commit = |s: &super::scenario::Partition<'_>| Commit {
        position: s.position,
        low: s.windower.low_mark(),
        watermark: s.watermark,
    };
    exchange.senders.iter().map(commit).collect()
}

/// Up to the commit, emitting nothing.
fn replay(exchange: &mut Exchange<'_>, commits: &[Commit], turns: &mut impl Iterator<Item = Turn>) {
    exchange.states.muted = true;
    for (sender, commit) in exchange.senders.iter_mut().zip(commits) {
        (sender.position, sender.watermark) = (commit.position, commit.watermark);
        if let Some(low) = commit.low {
            sender.position = low.offset as usize;
            sender.watermark.restore(low.running_max, low.floor);
        }
    }
    let positions: Vec<usize> = commits.iter().map(|commit| commit.position).collect();
    while exchange.turn(turns.next().unwrap(), &positions, END) {}
    for (number, commit) in commits.iter().enumerate() {
        exchange.senders[number].watermark.raise(commit.watermark.current());
        exchange.drain(number, false);
    }
    exchange.advance(END);
    exchange.states.muted = false;
}

proptest! {
    #[test]
    fn any_interleaving_of_partitions_gives_the_models_sessions(
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
        prop_assert_eq!(exchange.receiver.lost(), 0);
    }

    #[test]
    fn a_crash_and_a_replay_of_all_partitions_change_no_session(
        setup in setups(), partitions in prop::collection::vec(events(120, true), 1..4),
        turns in turns(), others in turns(), read in 0..20usize, until in 0..5usize, lost in 0..5usize,
    ) {
        let all: Vec<usize> = partitions.iter().map(Vec::len).collect();
        let mut first = Exchange::new(&setup, &partitions);
        let mut closed = first.receiver.closed();
        let mut commits = None;
        for (number, turn) in turns.iter().cycle().enumerate().take(read + until + lost + 1) {
            if number <= read {
                closed = first.receiver.closed();
                if number % 5 == 0 {
                    first.release(closed);
                }
            }
            if number == read + until {
                commits = Some(commit(&mut first, closed));
            }
            if !first.turn(*turn, &all, END) {
                break;
            }
        }
        let commits = commits.unwrap_or_else(|| commit(&mut first, closed));

        let mut second = Exchange::new(&setup, &partitions);
        let mut others = others.iter().cycle().copied();
        replay(&mut second, &commits, &mut others);
        second.states.emitted = first.states.emitted;
        while second.turn(others.next().unwrap(), &all, END) {}
        second.finish();
        prop_assert_eq!(second.states.last(), expected(&setup, &partitions).last);
        prop_assert_eq!(second.receiver.lost(), 0);
    }
}
