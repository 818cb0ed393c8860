//! `wasmill plugin`, as an author types it: with cargo, its own cache, and nothing of this repository but the binary.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

/// What is compiled here stays between runs: only the first one takes a minute.
const KEPT: &str = env!("CARGO_TARGET_TMPDIR");

struct Author {
    folder: tempfile::TempDir,
}

impl Author {
    fn new() -> Self {
        Author { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wasmill"));
        command.current_dir(self.folder.path()).args(arguments);
        command.env("CARGO_TARGET_DIR", Path::new(KEPT).join("plugins"));
        command.env("WASMILL_CACHE", Path::new(KEPT).join("cache"));
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Standard output of a command that succeeds.
    fn well(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let said = String::from_utf8(output.stdout.clone()).unwrap();
        assert!(output.status.success(), "{arguments:?}: {}{said}", complaint(&output));
        said
    }

    fn refused(&self, arguments: &[&str], code: i32, says: &str) {
        refused(&self.run(arguments), code, says);
    }

    /// Dependencies in the versions that the repository has, which are fetched already.
    fn lock(&self, plugin: &str) {
        let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock");
        std::fs::copy(lock, self.path(plugin).join("Cargo.lock")).unwrap();
    }
}

fn complaint(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn refused(output: &Output, code: i32, says: &str) {
    let complaint = complaint(output);
    assert_eq!(output.status.code(), Some(code), "{complaint}");
    assert!(complaint.contains("error: ") && complaint.contains(says), "no word of {says:?}: {complaint}");
}

const PIPELINE: &str = r#"
[sources.orders]
topic = "orders"
time = "timestamp"
partitioned_by = ["shop"]

[plugins.add-tax]
path = "add-tax/add_tax.wasm"
config = { tax = 0.25 }

[plugins.revenue]
path = "out/revenue.wasm"

[sinks.charts]
type = "stdout"
format = "line"

[routes.revenue]
from = "orders"
transform = ["add-tax"]
key = ["shop"]
aggregate = "revenue"
window = { tumbling = "1m" }
to = ["charts"]

[[tests]]
name = "two shops"
input = { orders = "orders.ndjson" }
expect = { charts = "expected.lp" }
"#;

const ORDERS: &str = r#"{"timestamp": "2026-01-01T00:00:01Z", "shop": "a", "data": {"amount": 8.0}}
{"timestamp": "2026-01-01T00:00:02Z", "shop": "b", "data": {"amount": 2.0, "coupon": "X"}}
{"timestamp": "2026-01-01T00:00:03Z", "shop": "a", "data": {"amount": 4.0}}
{"timestamp": "2026-01-01T00:00:04Z", "shop": "a", "data": {"amount": -1.0}}
"#;

const POINTS: &str = "revenue,shop=a count=2i,total=12.0,greatest=8.0 1767225600000000000
revenue,shop=b count=1i,total=2.0,greatest=2.0 1767225600000000000
";

#[test]
fn new_plugins_of_both_kinds_test_build_and_run_in_a_pipeline() {
    let author = Author::new();
    let steps = author.well(&["plugin", "new", "revenue"]);
    assert!(steps.contains("path = \"revenue/revenue.wasm\"") && steps.contains("aggregate = \"revenue\""), "{steps}");
    author.well(&["plugin", "new", "add-tax", "--transformer"]);
    author.lock("revenue");
    author.lock("add-tax");

    let found = author.well(&["plugin", "test", "revenue"]);
    assert!(found.contains("test tests::orders_add_up ... ok"), "{found}");
    assert!(found.contains("revenue works in the host: 16 made-up rows in, 2 out, 0 refused"), "{found}");
    let found = author.well(&["plugin", "test", "add-tax"]);
    assert!(found.contains("it wants a configuration (config: missing field `tax`)"), "{found}");
    let found = author.well(&["plugin", "test", "add-tax", "--config", r#"{"tax": 0.5}"#]);
    assert!(found.contains("16 made-up rows in, 16 out"), "{found}");
    author.refused(&["plugin", "test", "add-tax", "--config", r#"{"tax": 7}"#], 1, "config.tax: 7 is not from 0 to 1");

    author.well(&["plugin", "build", "add-tax"]);
    let built: Value =
        serde_json::from_str(&author.well(&["plugin", "build", "revenue/", "--out", "out", "--json"])).unwrap();
    let seen: Value = serde_json::from_str(&author.well(&["plugin", "inspect", "out/revenue.wasm", "--json"])).unwrap();
    assert_eq!((&built[0]["world"], &seen["world"]), (&json!("aggregator"), &json!("aggregator")));
    assert_eq!(built[0]["sha256"], seen["sha256"]);
    assert_eq!(seen["descriptor"]["reads"][0]["path"], "data.amount");
    assert_eq!(seen["state"], json!({ "writes": 1, "restores": [1] }));
    assert!(seen["memory_bytes"].as_u64().unwrap() >= 65_536, "{seen}");
    let files = std::fs::read_dir(author.path("out")).unwrap().count();
    assert_eq!(files, 1, "nothing but the plugin is left in the folder");

    author.write("pipeline.toml", PIPELINE);
    author.write("orders.ndjson", ORDERS);
    author.write("expected.lp", POINTS);
    author.well(&["check", "pipeline.toml"]);
    author.well(&["test", "pipeline.toml"]);
}

#[test]
fn what_is_there_is_never_overwritten_and_names_that_make_no_crate_are_refused() {
    let author = Author::new();
    author.write("mine/notes.txt", "mine");
    author.refused(&["plugin", "new", "mine"], 2, "mine is there already");
    author.refused(&["plugin", "new", "9lives"], 2, "a letter first");
    author.refused(&["plugin", "new", "fn"], 2, "`my-fn`");
    author.refused(&["plugin", "new", "p", "--sdk", "mine"], 2, "is not the SDK's crate");
    assert_eq!(std::fs::read_dir(author.folder.path()).unwrap().count(), 1);
    assert_eq!(std::fs::read_dir(author.path("mine")).unwrap().count(), 1);
}

#[test]
fn a_folder_that_holds_no_plugin_is_refused_and_code_that_is_none_fails_without_a_file() {
    let author = Author::new();
    author.write("empty/notes.txt", "");
    author.refused(&["plugin", "build", "empty"], 2, "empty holds no plugin");
    let manifest = |kind: &str| {
        format!("[package]\nname = \"p\"\nedition = \"2024\"\n[lib]\ncrate-type = [\"{kind}\"]\n[workspace]\n")
    };
    author.write("library/Cargo.toml", &manifest("rlib"));
    author.write("library/src/lib.rs", "");
    author.refused(&["plugin", "build", "library"], 2, "crate-type = [\"cdylib\", \"rlib\"]");
    author.write("broken/Cargo.toml", &manifest("cdylib"));
    author.write("broken/src/lib.rs", "fn (");
    author.refused(&["plugin", "build", "broken"], 1, "broken does not compile");
    author.write("nothing/Cargo.toml", &manifest("cdylib"));
    author.write("nothing/src/lib.rs", "");
    author.refused(&["plugin", "build", "nothing"], 1, "the file exports no plugin");
    assert!(!author.path("nothing/p.wasm").exists());
    author.write("virtual/Cargo.toml", "[workspace]\n");
    author.refused(&["plugin", "build", "virtual"], 2, "is a workspace, not a plugin");
}

#[test]
fn the_unpacked_sdk_is_mended_if_the_cache_was_emptied() {
    let author = Author::new();
    let cache = author.path("cache");
    let run = |arguments: &[&str]| author.command(arguments).env("WASMILL_CACHE", &cache).output().unwrap();
    assert!(run(&["plugin", "new", "p"]).status.success());
    let files = || {
        let sdk = std::fs::read_dir(&cache).unwrap().next().unwrap().unwrap().path();
        ["Cargo.toml", "plugins/sdk/src/lib.rs", "plugins/sdk-macros/src/row.rs", "wit/v0.1/types.wit"]
            .map(|file| sdk.join(file))
    };
    let [workspace, library, macros, contract] = files();
    std::fs::remove_file(&library).unwrap();
    std::fs::write(&contract, "cut sho").unwrap();
    // Fails after the SDK was looked at, and before anything is compiled.
    author.write("p/src/lib.rs", "");
    let manifest = std::fs::read_to_string(author.path("p/Cargo.toml")).unwrap();
    author.write("p/Cargo.toml", &manifest.replace("\"cdylib\", ", ""));
    refused(&run(&["plugin", "build", "p"]), 2, "makes no plugin");
    assert!(library.is_file() && workspace.is_file() && macros.is_file());
    assert!(std::fs::read_to_string(contract).unwrap().contains("interface types"));
}

#[test]
fn a_missing_cargo_or_target_is_named_with_what_to_do() {
    let author = Author::new();
    author.well(&["plugin", "new", "p"]);
    let output = author.command(&["plugin", "build", "p"]).env("CARGO", "/nowhere/cargo").output().unwrap();
    refused(&output, 1, "install Rust from https://rustup.rs");
    let bare = author.path("rustc");
    author.write("rustc", "#!/bin/sh\necho /nowhere/lib\n");
    std::fs::set_permissions(&bare, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let output = author.command(&["plugin", "build", "p"]).env("RUSTC", &bare).output().unwrap();
    refused(&output, 1, "rustup target add wasm32-unknown-unknown");
}

#[test]
fn a_file_that_the_host_would_refuse_is_refused_with_the_reason() {
    let author = Author::new();
    author.write("text.wasm", "not a plugin");
    author.refused(&["plugin", "inspect", "text.wasm"], 2, "this is not a WebAssembly file");
    author.refused(&["plugin", "inspect", "absent.wasm"], 2, "cannot read absent.wasm");
    author.refused(&["plugin", "inspect", "builtin:cuont"], 2, "there is no built-in plugin `cuont`");
    author.refused(&["plugin", "inspect", "builtin:count", "--config", "{"], 2, "--config is not JSON");
    author.refused(&["plugin", "inspect", "builtin:stats"], 2, "missing field `field`");
    let shown = author.well(&["plugin", "inspect", "builtin:stats", "--config", r#"{"field": "data.ms"}"#]);
    for fact in ["aggregator, contract 0.1.0", "data.ms  float  required", "stddev", "limits.memory"] {
        assert!(shown.contains(fact), "no {fact:?}: {shown}");
    }
}

#[test]
fn a_plugin_in_another_language_says_which_tool_is_missing_and_what_its_manifest_lacks() {
    let author = Author::new();
    let cache = author.path("cache");
    let bare = |arguments: &[&str]| {
        author.command(arguments).env("WASMILL_CACHE", &cache).env("PATH", "/nowhere").output().unwrap()
    };
    for (language, tool) in [("python", "componentize-py"), ("javascript", "componentize-qjs"), ("c", "clang")] {
        assert!(bare(&["plugin", "new", language, "--lang", language]).status.success());
        refused(&bare(&["plugin", "build", language]), 1, &format!("{tool} is missing; install it with: "));
    }
    author.write(
        "python/plugin.toml",
        "name = \"p\"\nlanguage = \"python\"\nworld = \"transformer\"\nsource = \"gone.py\"\n",
    );
    author.refused(
        &["plugin", "build", "python"],
        2,
        "`source` must name the file with the plugin, and \"gone.py\" is none",
    );
    author.write("python/plugin.toml", "name = \"p\"\nlanguage = \"cobol\"\n");
    author.refused(&["plugin", "build", "python"], 2, "cobol");
}
