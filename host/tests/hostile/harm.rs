//! Guests that do not answer: in every function that the host can call.

use std::sync::Arc;
use std::sync::Mutex;

use wasmill_core::plugin::Fault;
use wasmill_wasm::{Level, MAX_LINES_PER_SECOND, PluginLog};

use crate::guest::{Guest, World, ZEROS};
use crate::provoke::{CALL, assert_failed, provoke, provoke_logged};

const LOOP: &str = "(loop $again (br $again)) (unreachable)";
const TRAP: &str = "(unreachable)";
const RECURSE: &str = "(drop (call $recurse (i64.const 0))) (unreachable)";
/// A MiB at a time, each written to, until it is refused.
const GROW: &str = "(loop $more
    (memory.fill (i32.sub (i32.shl (memory.size) (i32.const 16)) (i32.const 0x100000)) (i32.const 7) (i32.const 0x100000))
    (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) (unreachable)";
/// The same, not taking no for an answer.
const GROW_FOR_EVER: &str = "(loop $more (drop (memory.grow (i32.const 16))) (br $more)) (unreachable)";

const HARMS: [(&str, &str, Fault, &str); 5] = [
    ("loops", LOOP, Fault::Deadline, "it ran longer than limits.call, which is 60ms"),
    ("traps", TRAP, Fault::Trap, "unreachable"),
    ("recurses", RECURSE, Fault::Trap, "call stack exhausted"),
    ("grows", GROW, Fault::Memory, "of memory, limits.memory is 32 MiB"),
    ("grows for ever", GROW_FOR_EVER, Fault::Memory, "of memory, limits.memory is 32 MiB"),
];

/// What a guest offers, and the function that the error names.
const PLACES: [(World, &str, &str); 12] = [
    (World::Transformer, "start", "start"),
    (World::Transformer, "cabi_realloc", "configure"),
    (World::Transformer, "configure", "configure"),
    (World::Transformer, "transform", "transform"),
    (World::Aggregator, "configure", "configure"),
    (World::Aggregator, "versions", "versions"),
    (World::Aggregator, "accumulate", "accumulate"),
    (World::Aggregator, "merge", "merge"),
    (World::Aggregator, "emit", "emit"),
    (World::Aggregator, "snapshot", "snapshot"),
    (World::Aggregator, "restore", "restore"),
    (World::Aggregator, "forget", "forget"),
];

#[test]
fn harm_in_any_function_ends_within_its_limit_and_is_told_by_its_name() {
    for (world, place, function) in PLACES {
        for (harm, instructions, fault, says) in HARMS {
            let name = format!("{world:?} {harm} in {place}");
            let failed = provoke(&Guest::of(world).does(place, instructions).wasm());
            let failed = assert_failed(&name, failed, function, fault, says);
            assert!(fault != Fault::Deadline || failed.took >= CALL, "{name}: {:?}", failed.took);
        }
    }
}

#[test]
fn a_guest_that_does_no_harm_answers_everything() {
    for world in [World::Transformer, World::Aggregator] {
        assert!(provoke(&Guest::of(world).wasm()).is_none_or(|failed| panic!("{world:?}: {}", failed.error)));
    }
}

#[derive(Default)]
struct Counted {
    lines: Mutex<u64>,
    dropped: Mutex<u64>,
}

impl PluginLog for Counted {
    fn line(&self, _plugin: &str, _level: Level, message: &str) {
        assert!(message.len() <= 4096 + 4 && !message.chars().any(char::is_control), "{} bytes", message.len());
        *self.lines.lock().unwrap() += 1;
    }

    fn dropped(&self, _plugin: &str, lines: u64) {
        *self.dropped.lock().unwrap() += lines;
    }

    fn count(&self, _plugin: &str, _name: &str, _add: u64) {}
    fn gauge(&self, _plugin: &str, _name: &str, _value: f64) {}
}

/// Logs the same `bytes` of its memory for ever.
fn flood(bytes: u32) -> Guest {
    let mut guest = Guest::of(World::Transformer);
    guest.imports = "(import \"wasmill:plugin/log@0.1.0\" \"log\" (func $log (param i32 i32 i32)))".to_owned();
    guest.does(
        "transform",
        format!(
            "(loop $again (call $log (i32.const 2) (i32.const {ZEROS}) (i32.const {})) (br $again)) (unreachable)",
            bytes as i32
        ),
    )
}

#[test]
fn a_flood_of_log_lines_is_cut_and_counted_and_ends_with_its_call() {
    // Zeros, which are control characters.
    for bytes in [1, 100_000] {
        let kept = Arc::new(Counted::default());
        let failed = provoke_logged(&flood(bytes).wasm(), kept.clone());
        assert!(failed.is_some());
        let (lines, dropped) = (*kept.lines.lock().unwrap(), *kept.dropped.lock().unwrap());
        println!("{bytes} bytes a line: {lines} lines, {dropped} dropped");
        assert!(lines > 0 && lines <= 2 * u64::from(MAX_LINES_PER_SECOND), "{lines}");
        if bytes == 1 {
            assert_failed("flood", failed, "transform", Fault::Deadline, "limits.call");
            assert!(dropped > 0);
        }
    }
    let failed = provoke(&flood(u32::MAX).wasm());
    assert_failed("a line of 4 GiB", failed, "transform", Fault::Invalid, "out of bounds");
}
