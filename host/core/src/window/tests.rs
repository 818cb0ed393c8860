//! What can only be seen from inside: that nothing is kept longer than it is needed, and that limits are named.

use super::*;
use crate::time::END;
use crate::watermark::Watermark;

/// Holds nothing.
struct Nothing;

impl States for Nothing {
    type Error = WindowError;

    fn accumulate(&mut self, _: &[u32], _: &[u32]) -> Result<(), WindowError> {
        Ok(())
    }

    fn merge(&mut self, _: &[u32], _: &[u32]) -> Result<(), WindowError> {
        Ok(())
    }

    fn emit(&mut self, _: Emission<'_>) -> Result<(), WindowError> {
        Ok(())
    }

    fn forget(&mut self, _: &[u32]) -> Result<(), WindowError> {
        Ok(())
    }

    fn snapshot(&mut self, _: &[u32]) -> Result<Strings, WindowError> {
        Ok(Strings::default())
    }

    fn restore(&mut self, _: &[u32], _: &Strings) -> Result<(), WindowError> {
        Ok(())
    }
}

fn tumbling(size: Nanos) -> WindowSpec {
    WindowSpec::Tumbling { sizes: vec![size], offset: 0, timezone: None }
}

/// Folds rows of (time, key) as one batch, and advances.
fn fold(
    windower: &mut Windower,
    watermark: &mut Watermark,
    rows: impl Iterator<Item = (Nanos, u64)>,
) -> Result<(), WindowError> {
    send(windower, watermark, rows)?;
    windower.advance(watermark.current(), &mut Nothing)
}

fn send(
    windower: &mut Windower,
    watermark: &mut Watermark,
    rows: impl Iterator<Item = (Nanos, u64)>,
) -> Result<(), WindowError> {
    let (mut times, mut keys) = (Vec::new(), Strings::default());
    for (time, key) in rows {
        times.push(time);
        keys.push(format!("user-{key}-with-a-long-name").as_bytes());
    }
    let progress = watermark.observe(&times);
    let rows: Vec<u32> = (0..times.len() as u32).collect();
    let input =
        Input { rows: &rows, times: &times, keys: &[&keys], source_rows: None, progress: &progress, first_offset: 0 };
    windower.fold(&input, &mut Nothing, &mut Vec::new())
}

fn key_ids(windower: &Windower) -> usize {
    match &windower.kind {
        Kind::Panes(panes) => panes.keys.ids(),
        Kind::Sessions(sessions) => sessions.key_ids(),
        Kind::Pieces(pieces) => pieces.key_ids(),
        Kind::Joins(joins) => joins.key_ids(),
    }
}

#[test]
fn a_million_keys_that_come_and_go_leave_nothing_behind() {
    const KEYS_A_BATCH: u64 = 2000;
    let session = WindowSpec::Session { gap: 10, max: 1000 };
    for spec in [tumbling(10), WindowSpec::Sliding { size: 40, every: 10, offset: 0 }, session] {
        let mut windower = Windower::new(&spec, 0, 1).unwrap();
        let mut watermark = Watermark::new(0);
        for batch in 0..500 {
            let rows = (0..KEYS_A_BATCH).map(|row| (batch as Nanos * 10, batch * KEYS_A_BATCH + row));
            fold(&mut windower, &mut watermark, rows).unwrap();
        }
        assert!(key_ids(&windower) as u64 <= 8 * KEYS_A_BATCH, "{spec:?}: {} keys", key_ids(&windower));
        windower.advance(END, &mut Nothing).unwrap();
        assert_eq!((windower.slots(), windower.low_mark()), (0, None), "{spec:?}");
    }
}

#[test]
fn neither_side_of_an_exchange_keeps_keys_of_sessions_that_are_over() {
    const KEYS_A_BATCH: u64 = 2000;
    let side = |side| Windower::exchanged(&WindowSpec::Session { gap: 10, max: 1000 }, 5, 1, side).unwrap();
    let (mut sender, mut receiver) = (side(Side::Sender), side(Side::Receiver));
    let mut hand_over = |sender: &mut Windower, watermark: Nanos| {
        for delta in sender.drain(watermark, false, &mut Nothing).unwrap() {
            receiver.absorb(&delta, &mut Nothing).unwrap();
        }
        receiver.advance(watermark, &mut Nothing).unwrap();
        sender.release(receiver.closed());
        (key_ids(sender).max(key_ids(&receiver)) as u64, sender.slots() + receiver.slots())
    };
    let mut watermark = Watermark::new(0);
    for batch in 0..500 {
        let rows = (0..KEYS_A_BATCH).map(|row| (batch as Nanos * 10, batch * KEYS_A_BATCH + row));
        send(&mut sender, &mut watermark, rows).unwrap();
        let (keys, _) = hand_over(&mut sender, watermark.current());
        assert!(keys <= 8 * KEYS_A_BATCH, "{keys} keys");
    }
    assert_eq!(hand_over(&mut sender, END).1, 0);
    assert_eq!(sender.low_mark(), None);
}

#[test]
fn keys_of_late_rows_are_not_kept() {
    let mut windower = Windower::new(&tumbling(10), 0, 1).unwrap();
    let mut watermark = Watermark::new(0);
    fold(&mut windower, &mut watermark, std::iter::once((1000, 0))).unwrap();
    for batch in 0..100 {
        fold(&mut windower, &mut watermark, (0..100).map(|row| (5, 1 + batch * 100 + row))).unwrap();
    }
    assert!(key_ids(&windower) <= 101);
}

#[test]
fn too_many_open_panes_are_an_error_that_says_what_to_change() {
    let mut windower = Windower::new(&tumbling(1), END / 2, 1).unwrap();
    let rows = (0..=MAX_OPEN_PANES as Nanos).map(|time| (time, 0));
    let error = fold(&mut windower, &mut Watermark::new(0), rows).unwrap_err();
    assert_eq!(error, WindowError::TooManyOpenPanes { open: MAX_OPEN_PANES + 1 });
    assert!(error.to_string().contains("lateness"));
}

#[test]
fn windows_that_cannot_be_are_refused() {
    let refused = |spec: WindowSpec| Windower::new(&spec, 0, 1).unwrap_err();
    let sliding = |size, every| WindowSpec::Sliding { size, every, offset: 0 };
    let rollup = |sizes: &[Nanos], timezone: Option<&str>| WindowSpec::Tumbling {
        sizes: sizes.to_vec(),
        offset: 0,
        timezone: timezone.map(str::to_owned),
    };
    assert!(matches!(refused(sliding(HOUR, MILLISECOND)), WindowError::TooManyPanesAWindow { panes: 3_600_000, .. }));
    assert!(matches!(refused(sliding(SECOND, MINUTE)), WindowError::EveryAboveSize { .. }));
    assert!(matches!(refused(rollup(&[7, 10], None)), WindowError::SizesDoNotNest { smaller: 7, larger: 10 }));
    assert!(matches!(refused(rollup(&[DAY, 30 * DAY], Some("UTC"))), WindowError::DoesNotFollowTheZone { .. }));
    assert!(matches!(refused(WindowSpec::Session { gap: 10, max: 15 }), WindowError::MaxTooShort { .. }));
}

#[test]
fn sizes_are_named_by_their_largest_whole_unit() {
    let named: Vec<String> =
        [MINUTE, 90 * SECOND, HOUR, DAY, 14 * DAY, 250 * MILLISECOND, 7].iter().map(|size| size_label(*size)).collect();
    assert_eq!(named, ["1m", "90s", "1h", "1d", "2w", "250ms", "7ns"]);
}
