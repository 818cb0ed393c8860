//! What of WASI a plugin has, and what happens when it tries the rest.

use std::sync::{Arc, OnceLock};

use wasmill_core::batch::Values;
use wasmill_core::plugin::{Fault, Results};
use wasmill_wasm::{Grants, Level, Limits, NoLog, Plugin, PluginLog, Release};

use crate::guests::{Kept, assert_fault, engine, tight, transform, wasm};

fn release() -> Arc<Release> {
    static RELEASE: OnceLock<Arc<Release>> = OnceLock::new();
    Arc::clone(RELEASE.get_or_init(|| Arc::new(Release::compile(engine(), &wasm("wasi")).unwrap())))
}

fn plugin(grants: Grants, log: Arc<dyn PluginLog>) -> Plugin {
    Plugin::new(engine(), "suspect", release(), "\"\"", Limits { grants, ..tight() }, log).unwrap()
}

/// The guest's answers to some texts, each as the label of its row.
fn answers(plugin: &Plugin, texts: &[&str]) -> Vec<String> {
    labels(&transform(&mut *plugin.transformer().unwrap(), texts).unwrap())
}

fn labels(results: &Results) -> Vec<String> {
    let Values::Texts(labels) = &results.outputs[0].columns[0].values else { panic!("labels are texts") };
    let value = |row| String::from_utf8(labels.data[labels.span(row).0..labels.span(row).1].to_vec()).unwrap();
    (0..labels.ends.len()).map(value).collect()
}

#[test]
fn a_runtime_finds_what_it_asks_for_at_start_and_nothing_in_it() {
    let plugin = plugin(Grants::default(), Arc::new(NoLog));
    let no_environment_arguments_folders_terminal_input = "0 0 0 false true";
    assert_eq!(answers(&plugin, &["wasi-start"]), [no_environment_arguments_folders_terminal_input]);
}

#[test]
fn what_is_printed_goes_to_the_log_line_by_line() {
    let log = Arc::new(Kept::default());
    answers(&plugin(Grants::default(), Arc::clone(&log) as Arc<dyn PluginLog>), &["wasi-print"]);
    let lines = log.lines.lock().unwrap().clone();
    let expected = [
        (Level::Info, "a line"),
        (Level::Info, "and a half"),
        (Level::Warn, "careful"),
        (Level::Info, "and one without end"),
    ];
    assert_eq!(lines, expected.map(|(level, line)| (level, line.to_owned())));
}

#[test]
fn the_last_line_on_standard_error_is_the_reason_of_a_trap() {
    let plugin = plugin(Grants::default(), Arc::new(NoLog));
    let fail = |text| transform(&mut *plugin.transformer().unwrap(), &[text]).unwrap_err();
    assert_fault(&fail("wasi-exit"), "transform", Fault::Trap, "it called exit after saying: ValueError: no such page");
    let error = fail("wasi-panic");
    assert_fault(&error, "transform", Fault::Trap, "no such page");
    assert!(error.message.starts_with("no such page"), "{error}");
}

#[test]
fn without_the_grant_the_time_of_day_fails_by_the_grants_name_and_the_other_clock_stands_still() {
    let without = plugin(Grants::default(), Arc::new(NoLog));
    let error = transform(&mut *without.transformer().unwrap(), &["wasi-wall"]).unwrap_err();
    assert_fault(
        &error,
        "transform",
        Fault::Trap,
        "needs the grant `clock`: grants = [\"clock\"] in [plugins.suspect]",
    );
    assert_eq!(answers(&without, &["wasi-monotonic", "wasi-monotonic"]), ["1", "1"]);
    let waiting = ["wasi-sleep", "wasi-monotonic"];
    assert_eq!(answers(&without, &waiting), ["waited", "2"], "a wait is over at once, and moves the clock");

    let with = plugin(Grants { clock: true, ..Grants::default() }, Arc::new(NoLog));
    let told: Vec<u64> =
        answers(&with, &["wasi-wall", "wasi-monotonic", "wasi-monotonic"]).iter().map(|n| n.parse().unwrap()).collect();
    assert!(told[0] > 1_700_000_000 && told[2] > told[1], "{told:?}");
}

#[test]
fn randomness_is_the_same_in_every_instance_unless_it_is_granted() {
    let draw = |grants| {
        let plugin = plugin(grants, Arc::new(NoLog));
        answers(&plugin, &["wasi-random", "wasi-random", "wasi-seed"])
    };
    let first = draw(Grants::default());
    assert_eq!(first, draw(Grants::default()));
    assert_ne!(first[0], first[1]);
    let granted = Grants { random: true, ..Grants::default() };
    assert_ne!(draw(granted)[0], draw(granted)[0]);
}

#[test]
fn what_no_grant_gives_fails_the_call_by_its_name() {
    let plugin = plugin(Grants { clock: true, random: true }, Arc::new(NoLog));
    let cases = [
        ("wasi-file", "it called wasi:filesystem/types#filesystem-error-code: a plugin has no files"),
        ("wasi-socket", "it called wasi:sockets/instance-network#instance-network: a plugin has no network"),
        ("wasi-random-much", "random bytes at once, at most 65536"),
        ("wasi-handles", "it holds more than 1024 streams"),
    ];
    for (text, why) in cases {
        let error = transform(&mut *plugin.transformer().unwrap(), &[text]).unwrap_err();
        assert_fault(&error, "transform", Fault::Trap, why);
    }
    assert_eq!(answers(&plugin, &["wasi-reused"]), ["10000"], "a handle that is dropped is given back");
}

#[test]
fn a_release_tells_which_grants_it_may_need() {
    let needs: Vec<_> = release().needs().iter().map(|need| (need.grant, need.import)).collect();
    let expected = [
        ("clock", "wasi:clocks/wall-clock"),
        ("clock", "wasi:clocks/monotonic-clock"),
        ("random", "wasi:random/random"),
    ];
    assert_eq!(needs, expected);
    assert!(crate::guests::transformer_release().needs().is_empty());
}
