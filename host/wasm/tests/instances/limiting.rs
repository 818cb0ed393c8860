//! Time, memory, output and words have bounds that hold.

use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmill_core::plugin::Fault;
use wasmill_wasm::{Level, LoadError, MAX_LINES_PER_SECOND, Plugin, TICK};

use crate::guests::{Kept, assert_fault, engine, load, tight, transform, transformer, transformer_release};

#[test]
fn a_loop_is_interrupted_soon_after_its_limit_and_names_where_it_was() {
    let plugin = transformer("");
    // The machine may be busy: the best of a few shows what the clock can do.
    let late = (0..5)
        .map(|_| {
            let mut instance = plugin.transformer().unwrap();
            let start = Instant::now();
            let error = transform(&mut *instance, &["loop"]).unwrap_err();
            let took = start.elapsed();
            assert_fault(&error, "transform", Fault::Deadline, "it ran longer than limits.call, which is 200ms");
            assert!(error.message.contains("at guests::harm::spin"), "{}", error.message);
            assert!(took >= tight().call, "{took:?}");
            took - tight().call
        })
        .min()
        .unwrap();
    assert!(late < 2 * TICK + Duration::from_millis(30), "interrupted {late:?} after its limit");
}

#[test]
fn memory_beyond_the_limit_is_refused_and_all_of_it_is_given_back() {
    let plugin = transformer("");
    assert_eq!(plugin.memory_bytes(), 0);
    let mut instance = plugin.transformer().unwrap();
    let fresh = plugin.memory_bytes();
    assert!(fresh > 0 && fresh < 4 << 20, "{fresh}");
    let error = transform(&mut *instance, &["grow"]).unwrap_err();
    assert_fault(&error, "transform", Fault::Memory, "of memory, limits.memory is 32 MiB");
    assert!(plugin.memory_bytes() <= tight().memory_bytes);
    assert!(plugin.memory_bytes() > tight().memory_bytes / 2);
    drop(instance);
    assert_eq!(plugin.memory_bytes(), 0);
    assert!(transform(&mut *plugin.transformer().unwrap(), &["view"]).is_ok());
}

#[test]
fn an_instance_that_needs_more_memory_than_the_limit_to_start_says_so() {
    let limits = wasmill_wasm::Limits { memory_bytes: 1 << 16, ..tight() };
    let log = Arc::new(Kept::default());
    let error = Plugin::new(engine(), "suspect", transformer_release(), "\"\"", limits, log).unwrap_err();
    let LoadError::Start(error) = error else { panic!("{error}") };
    assert_fault(&error, "start", Fault::Memory, "limits.memory is 64 KiB");
}

#[test]
fn endless_recursion_is_a_trap_of_the_guest_alone() {
    let error = transform(&mut *transformer("").transformer().unwrap(), &["recurse"]).unwrap_err();
    assert_eq!(error.fault, Fault::Trap, "{error}");
}

#[test]
fn an_answer_larger_than_the_limit_is_never_read() {
    let mut instance = transformer("huge").transformer().unwrap();
    let error = transform(&mut *instance, &["view"]).unwrap_err();
    assert_fault(&error, "transform", Fault::Output, "more than limits.output, which is 8 MiB");
}

#[test]
fn a_flood_of_log_lines_is_cut_and_counted_and_no_line_forges_another() {
    let kept = Arc::new(Kept::default());
    let plugin = load(transformer_release(), "flood", kept.clone()).unwrap();
    drop(plugin);
    let lines = kept.lines.lock().unwrap();
    let dropped = *kept.dropped.lock().unwrap();
    // A second may end during the flood, and admits as many again.
    assert!(lines.len() < 5000 && lines.len() % MAX_LINES_PER_SECOND as usize == 0, "{}", lines.len());
    assert_eq!(lines.len() as u64 + dropped, 5000);
    assert_eq!(lines[0], (Level::Info, "line 0\\n\\u{7}".to_owned()));
}

#[test]
fn figures_reach_the_host_and_bad_names_are_refused_once() {
    let kept = Arc::new(Kept::default());
    let plugin = load(transformer_release(), "metrics", kept.clone()).unwrap();
    let _second = plugin.transformer().unwrap();
    assert_eq!(*kept.figures.lock().unwrap(), vec![("rows_seen".to_owned(), 3.0); 2]);
    let lines = kept.lines.lock().unwrap();
    assert_eq!(lines.len(), 1);
    assert!(lines[0].1.starts_with("metric Not A Name\\n is not recorded"), "{lines:?}");
}
