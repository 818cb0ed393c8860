//! Session windows of one partition.

use proptest::prelude::*;
use wasmill_core::plan::WindowSpec;
use wasmill_core::time::{BEGINNING, Nanos, Window};

use super::grids::{crash_and_replay, cuts, run};
use super::model::Expected;
use super::scenario::{Event, Partition, Setup, events, watermarks};
use super::toy::Rows;

struct Session {
    key: String,
    first: Nanos,
    last: Nanos,
    rows: Rows,
}

/// The rule of `window/sessions.rs`, row by row.
fn expected(setup: &Setup, events: &[Event]) -> Expected {
    let WindowSpec::Session { gap, max } = setup.spec else { unreachable!() };
    let half = max / 2;
    let may_span = |first: Nanos, last: Nanos| {
        let line = last.div_euclid(half) * half;
        first >= line || first >= line - half + gap
    };
    let mut expected = Expected::default();
    let mut open: Vec<Session> = Vec::new();
    let mut closed: Vec<Session> = Vec::new();
    for (offset, (event, watermark)) in events.iter().zip(watermarks(setup, events)).enumerate() {
        if event.invalid || event.filtered {
            continue;
        }
        closed.extend(open.extract_if(.., |session| watermark != BEGINNING && session.last + gap <= watermark));
        let (time, key) = (event.time, setup.key(event));
        let touched =
            |session: &mut Session| session.key == key && time - session.last < gap && session.first - time < gap;
        let mut near: Vec<Session> = open.extract_if(.., touched).collect();
        near.sort_by_key(|session| ((session.first - time).max(time - session.last).max(0), session.first));
        let mut joined = Session { key, first: time, last: time, rows: vec![offset as u64] };
        for session in near {
            let (first, last) = (joined.first.min(session.first), joined.last.max(session.last));
            if may_span(first, last) {
                (joined.first, joined.last) = (first, last);
                joined.rows.extend(session.rows);
            } else {
                open.push(session);
            }
        }
        if joined.rows.len() == 1 && watermark != BEGINNING && time + gap <= watermark {
            expected.late.push(offset as u64);
        } else {
            open.push(joined);
        }
    }
    for mut session in closed.into_iter().chain(open) {
        assert!(session.last + gap - session.first <= max);
        session.rows.sort_unstable();
        let window = Window { start: session.first, end: session.last + gap };
        expected.on_time.insert((session.key.clone(), window, None), session.rows.clone());
        expected.last.insert((session.key, window, None), session.rows);
    }
    expected
}

fn setups() -> impl Strategy<Value = Setup> {
    let spec = (1..12i64, prop_oneof![2..5i64, 2..40i64, Just(100_000)])
        .prop_map(|(gap, times)| WindowSpec::Session { gap, max: gap * times });
    (spec, 0..15i64, 0..3usize).prop_map(|(spec, out_of_orderness, key_parts)| Setup {
        spec,
        lateness: 0,
        out_of_orderness,
        key_parts,
    })
}

proptest! {
    #[test]
    fn every_cut_into_batches_gives_the_models_sessions(
        setup in setups(), events in events(300, true), cuts in cuts(), early in 0..4i64,
    ) {
        let mut partition = Partition::new(&setup, &events);
        run(&mut partition, &cuts, early);
        let got = Expected { on_time: partition.states.on_time(), last: partition.states.last(), late: partition.late };
        prop_assert_eq!(got, expected(&setup, &events));
    }

    #[test]
    fn a_crash_and_a_replay_from_the_low_mark_change_no_session(
        setup in setups(), events in events(300, false), cuts in cuts(), others in cuts(), commit in 0..60usize, lost in 0..5usize,
    ) {
        let last = crash_and_replay(&setup, &events, (&cuts, &others), commit, lost);
        prop_assert_eq!(last, expected(&setup, &events).last);
    }
}
