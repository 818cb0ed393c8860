//! What a guest can do to its host besides answering.

// The aggregator does only some of it.
#![cfg_attr(not(feature = "transformer"), allow(dead_code))]

use std::hint::black_box;

/// The harm that a value names, if any.
pub fn done_by(value: &str) {
    match value {
        "trap" => explode(),
        "loop" => spin(),
        "grow" => grow(),
        "recurse" => {
            black_box(recurse(1));
        }
        _ => {}
    }
}

#[inline(never)]
pub fn explode() {
    panic!("the value says so");
}

#[inline(never)]
pub fn spin() {
    let mut n = 0u64;
    loop {
        n = black_box(n.wrapping_add(1));
    }
}

#[inline(never)]
pub fn grow() {
    let mut hoard: Vec<Vec<u8>> = Vec::new();
    loop {
        hoard.push(black_box(vec![1; 1 << 20]));
    }
}

#[inline(never)]
#[allow(unconditional_recursion)]
fn recurse(depth: u64) -> u64 {
    black_box(recurse(black_box(depth + 1)) + 1)
}
