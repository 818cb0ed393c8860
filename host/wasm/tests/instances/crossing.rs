//! What a call costs beside the guest's own work. A measurement, not a check:
//! `cargo test --release -p wasmill-wasm crossing -- --ignored --nocapture`.

use std::hint::black_box;
use std::time::Instant;

use wasmill_core::batch::{Batch, Strings, Values};

use crate::guests::{texts, transformer};

const ROUNDS: usize = 400;

/// Nanoseconds a row, the median of many rounds.
fn measure(rows: usize, mut round: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            round();
            start.elapsed().as_nanos() as f64 / rows as f64
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[ROUNDS / 2]
}

#[inline(never)]
fn natively(strings: &Strings) -> Vec<u32> {
    (0..strings.len() as u32).filter(|&row| strings.get(row as usize) == b"view").collect()
}

#[test]
#[ignore = "a measurement"]
fn crossing() {
    let mut instance = transformer("filter").transformer().unwrap();
    for rows in [256, 1024, 4096, 8192] {
        let values: Vec<&str> = (0..rows).map(|row| ["view", "click", "purchase"][row * 7 % 3]).collect();
        let column = texts(&values);
        let Values::Texts(strings) = &column.values else { unreachable!() };
        let wasm = measure(rows, || {
            black_box(instance.transform(Batch { rows: rows as u32, columns: &[&column] }).unwrap());
        });
        let native = measure(rows, || {
            black_box(natively(black_box(strings)));
        });
        println!("{rows} rows: {wasm:.1} ns a row through wasm, {native:.1} native, {:.1} between", wasm - native);
    }
}
