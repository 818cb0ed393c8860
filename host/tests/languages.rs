//! The same two plugins in four languages, built by their own tools, give the same rows.
//!
//! What is missing of the tools is installed into the cache (`~/.cache/wasmill`), or by apt as root; a language whose tool cannot be
//! had is left out, and the test says so.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmill_core::batch::{Batch, Column, Strings, Values};
use wasmill_wasm::{Engine, Limits, NoLog, Plugin, Release, Settings};

/// Where plugins are built, and kept between runs.
const KEPT: &str = env!("CARGO_TARGET_TMPDIR");
const LANGUAGES: [&str; 4] = ["rust", "python", "javascript", "c"];

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/languages")
}

fn cache() -> PathBuf {
    wasmill::cli::pipeline::cache_folder().expect("a folder for caches")
}

/// A shell's command, whose words are printed; whether it succeeded.
fn shell(command: &str) -> bool {
    println!("installing: {command}");
    Command::new("sh").args(["-ec", command]).status().is_ok_and(|status| status.success())
}

fn there(command: &str) -> bool {
    Command::new("sh").args(["-c", command]).output().is_ok_and(|output| output.status.success())
}

/// Why the language cannot be built here, after an attempt to install what it needs.
fn missing(language: &str) -> Option<&'static str> {
    let (python, js) = (cache().join("python"), cache().join("js"));
    let (python, js) = (python.display(), js.display());
    let (has, install, why) = match language {
        "python" => (
            format!("test -x {python}/bin/componentize-py || command -v componentize-py"),
            format!("python3 -m venv {python} && {python}/bin/pip install -q componentize-py==0.25.1"),
            "componentize-py is missing, and pip cannot install it",
        ),
        "javascript" => (
            format!("test -x {js}/node_modules/.bin/componentize-qjs || command -v componentize-qjs"),
            format!("npm install --silent --prefix {js} componentize-qjs@0.4.5"),
            "componentize-qjs is missing, and npm cannot install it",
        ),
        "c" => (
            "command -v clang && command -v wasm-ld".to_owned(),
            "apt-get install -qq -y --no-install-recommends clang lld".to_owned(),
            "clang or lld is missing, and apt-get cannot install them",
        ),
        _ => return None,
    };
    (!there(&has) && !shell(&install)).then_some(why)
}

fn wasmill() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wasmill"));
    command.env("CARGO_TARGET_DIR", Path::new(KEPT).join("plugins"));
    command
}

/// The folder with the language's two plugins.
fn build(language: &str) -> PathBuf {
    let out = Path::new(KEPT).join("languages").join(language);
    let sources = example().join(if language == "rust" { "plugins" } else { language });
    let mut command = wasmill();
    command.args(["plugin", "build"]).args(["transformer", "aggregator"].map(|kind| sources.join(kind)));
    let output = command.arg("--out").arg(&out).output().unwrap();
    assert!(output.status.success(), "{language}: {}", String::from_utf8_lossy(&output.stderr));
    out
}

/// Those that can be had here, with their plugins.
fn built() -> Vec<(&'static str, PathBuf)> {
    let mut built = Vec::new();
    for language in LANGUAGES {
        let start = Instant::now();
        match missing(language) {
            Some(why) => println!("NOT COVERED: {language}: {why}"),
            None => {
                built.push((language, build(language)));
                println!("{language}: built in {:.1?}", start.elapsed());
            }
        }
    }
    built
}

#[test]
fn plugins_in_every_language_give_the_same_rows() {
    let built = built();
    for (language, plugins) in &built {
        let pipeline = example().join("pipeline.toml");
        let output = wasmill().env("PLUGINS", plugins).arg("test").arg(&pipeline).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.contains("1 passed, 0 failed"), "{language}: {said}");
        for (kind, config) in [("transformer", r#"{"tax": 0.25}"#), ("aggregator", "{}")] {
            let file = plugins.join(format!("{kind}.wasm"));
            let shown = wasmill().args(["plugin", "inspect", "--config", config]).arg(file).output().unwrap();
            assert!(shown.status.success(), "{language}: {}", String::from_utf8_lossy(&shown.stderr));
        }
    }
    calls_go_on(&built);
}

const ROWS: u32 = 2048;

fn texts(text: impl Fn(u32) -> String) -> Column {
    let mut strings = Strings::default();
    (0..ROWS).for_each(|row| strings.push(text(row).as_bytes()));
    Column::new(Values::Texts(strings))
}

/// Nanoseconds a row, of the best of some calls.
fn pace(mut call: impl FnMut()) -> f64 {
    let mut best = f64::MAX;
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(1500) {
        let call_start = Instant::now();
        call();
        best = best.min(call_start.elapsed().as_nanos() as f64 / f64::from(ROWS));
    }
    best
}

fn plugin(engine: &Engine, file: &Path, config: &str) -> Plugin {
    let release = Release::compile(engine, &std::fs::read(file).unwrap()).unwrap();
    let limits = Limits { call: Duration::from_secs(10), ..Limits::default() };
    Plugin::new(engine, "measured", Arc::new(release), config, limits, Arc::new(NoLog)).unwrap()
}

/// Nanoseconds a row of a language's two plugins, which are called for a while.
fn costs(engine: &Engine, plugins: &Path) -> (f64, f64) {
    let mut coupons = texts(|row| if row % 4 == 0 { "spring".to_owned() } else { String::new() });
    coupons.valid = (0..ROWS).map(|row| u8::from(row % 4 == 0)).collect();
    let floats = Column::new(Values::Floats((0..ROWS).map(f64::from).collect()));
    let booleans = Column::new(Values::Booleans((0..ROWS).map(|row| (row % 2) as u8).collect()));
    let currencies = texts(|row| ["EUR", "USD", "GBP"][row as usize % 3].to_owned());
    let slots: Vec<u32> = (0..ROWS).map(|row| row % 100).collect();
    let transformer = plugin(engine, &plugins.join("transformer.wasm"), r#"{"tax": 0.25}"#);
    let mut instance = transformer.transformer().unwrap();
    let columns = [&currencies, &floats, &coupons];
    let transform = pace(|| drop(instance.transform(Batch { rows: ROWS, columns: &columns }).unwrap()));
    let aggregator = plugin(engine, &plugins.join("aggregator.wasm"), "{}");
    let mut instance = aggregator.aggregator().unwrap();
    let columns = [&floats, &booleans];
    let add = pace(|| drop(instance.accumulate(Batch { rows: ROWS, columns: &columns }, &[], &slots).unwrap()));
    (transform, add)
}

/// Thousands of calls: runtimes collect their garbage in between, and what they cost is shown.
fn calls_go_on(built: &[(&'static str, PathBuf)]) {
    let engine = Engine::new(Settings { cache: Some(cache()) }).unwrap();
    let mut rust = None;
    println!("{:12} {:>26} {:>26}", "", "transformer", "aggregator");
    for (language, plugins) in built {
        let (transform, add) = costs(&engine, plugins);
        let (rust_transform, rust_add) = *rust.get_or_insert((transform, add));
        println!(
            "{language:12} {transform:9.1} ns a row, ×{:6.1} {add:9.1} ns a row, ×{:6.1}",
            transform / rust_transform,
            add / rust_add
        );
    }
}
