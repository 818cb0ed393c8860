//! Builds the guests once, and the little data they need.

use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock};

use wasmill_core::batch::{Column, Strings, Values};
use wasmill_core::plugin::{CallError, Fault, Results, Transformer};
use wasmill_wasm::{Engine, Level, Limits, LoadError, Plugin, PluginLog, Release, Settings};

/// The wasm of the guests built with these features.
pub fn wasm(features: &'static str) -> Vec<u8> {
    // One file name for all features: built and read by one at a time.
    static BUILD: Mutex<()> = Mutex::new(());
    let _alone = BUILD.lock();
    let target = target_directory().join("guests");
    let output = Command::new(env!("CARGO"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args([
            "build",
            "--profile",
            "plugin",
            "--target",
            "wasm32-unknown-unknown",
            "--package",
            "wasmill-test-guests",
        ])
        .args(["--features", features, "--target-dir"])
        .arg(&target)
        .output()
        .unwrap();
    assert!(output.status.success(), "the guests do not build: {}", String::from_utf8_lossy(&output.stderr));
    std::fs::read(target.join("wasm32-unknown-unknown/plugin/guests.wasm")).unwrap()
}

/// The test binary lies in `target/release/deps`.
fn target_directory() -> PathBuf {
    std::env::current_exe().unwrap().ancestors().nth(3).unwrap().to_owned()
}

pub fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| Engine::new(Settings::default()).unwrap())
}

pub fn transformer_release() -> Arc<Release> {
    static RELEASE: OnceLock<Arc<Release>> = OnceLock::new();
    Arc::clone(RELEASE.get_or_init(|| Arc::new(Release::compile(engine(), &wasm("transformer")).unwrap())))
}

pub fn aggregator_release() -> Arc<Release> {
    static RELEASE: OnceLock<Arc<Release>> = OnceLock::new();
    Arc::clone(RELEASE.get_or_init(|| Arc::new(Release::compile(engine(), &wasm("aggregator")).unwrap())))
}

/// Limits that a test reaches soon.
pub fn tight() -> Limits {
    let call = std::time::Duration::from_millis(200);
    Limits { memory_bytes: 32 << 20, call, ..Limits::default() }
}

pub fn load(release: Arc<Release>, mode: &str, log: Arc<dyn PluginLog>) -> Result<Plugin, LoadError> {
    Plugin::new(engine(), "suspect", release, &format!("{mode:?}"), tight(), log)
}

/// The transformer in a mode.
pub fn transformer(mode: &str) -> Plugin {
    load(transformer_release(), mode, Arc::new(wasmill_wasm::NoLog)).unwrap()
}

/// The aggregator in a mode.
pub fn aggregator(mode: &str) -> Plugin {
    load(aggregator_release(), mode, Arc::new(wasmill_wasm::NoLog)).unwrap()
}

pub fn texts(texts: &[&str]) -> Column {
    let mut strings = Strings::default();
    texts.iter().for_each(|text| strings.push(text.as_bytes()));
    Column::new(Values::Texts(strings))
}

pub fn integers(values: impl IntoIterator<Item = i64>) -> Column {
    Column::new(Values::Integers(values.into_iter().collect()))
}

pub fn transform(instance: &mut dyn Transformer, values: &[&str]) -> Result<Results, CallError> {
    let column = texts(values);
    instance.transform(wasmill_core::batch::Batch { rows: values.len() as u32, columns: &[&column] })
}

/// The error names the plugin, its release, the function and the rule.
#[track_caller]
pub fn assert_fault(error: &CallError, function: &str, fault: Fault, rule: &str) {
    let text = error.to_string();
    assert_eq!(error.fault, fault, "{text}");
    assert!(text.starts_with("plugin suspect (") && text.contains(&format!(") failed in {function}: ")), "{text}");
    assert!(error.message.contains(rule), "expected {rule:?} in: {text}");
    assert!(error.message.len() < 4096, "unbounded: {text}");
    assert!(!error.message.lines().next().unwrap().chars().any(char::is_control), "{text:?}");
}

/// Keeps all that a plugin says.
#[derive(Default)]
pub struct Kept {
    pub lines: Mutex<Vec<(Level, String)>>,
    pub dropped: Mutex<u64>,
    pub figures: Mutex<Vec<(String, f64)>>,
}

impl PluginLog for Kept {
    fn line(&self, plugin: &str, level: Level, message: &str) {
        assert_eq!(plugin, "suspect");
        self.lines.lock().unwrap().push((level, message.to_owned()));
    }

    fn dropped(&self, _plugin: &str, lines: u64) {
        *self.dropped.lock().unwrap() += lines;
    }

    fn count(&self, _plugin: &str, name: &str, add: u64) {
        self.figures.lock().unwrap().push((name.to_owned(), add as f64));
    }

    fn gauge(&self, _plugin: &str, name: &str, value: f64) {
        self.figures.lock().unwrap().push((name.to_owned(), value));
    }
}
