//! What an author sees who makes a mistake: the compiler's error stands on the very line. Each file of `ui/` is compiled; the
//! comment `//~ text` on a line is the error expected there.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::{Path, PathBuf};
use std::process::Command;

/// Where Cargo has put the libraries that this test is linked with.
fn libraries() -> PathBuf {
    std::env::current_exe().unwrap().parent().unwrap().to_owned()
}

/// The newest build of the SDK: older ones with other features may lie beside it.
fn sdk() -> PathBuf {
    let is_sdk = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.starts_with("libwasmill_sdk-") && name.ends_with(".rlib")
    };
    let candidates = std::fs::read_dir(libraries()).unwrap().map(|entry| entry.unwrap().path()).filter(is_sdk);
    candidates.max_by_key(|path| path.metadata().unwrap().modified().unwrap()).expect("the SDK is built")
}

/// The errors of one file, as `(line, message)`.
fn errors(file: &Path) -> Vec<(u64, String)> {
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let output = Command::new(rustc)
        .args(["--edition=2024", "--crate-type=lib", "--emit=metadata", "--error-format=json"])
        .arg("-o")
        .arg(Path::new(env!("CARGO_TARGET_TMPDIR")).join(file.file_stem().unwrap()).with_extension("rmeta"))
        .arg("-L")
        .arg(format!("dependency={}", libraries().display()))
        .arg("--extern")
        .arg(format!("wasmill_sdk={}", sdk().display()))
        .arg(file)
        .output()
        .unwrap();
    let mut errors = Vec::new();
    for line in String::from_utf8(output.stderr).unwrap().lines() {
        let message: serde_json::Value = serde_json::from_str(line).unwrap();
        let primary = message["spans"].as_array().unwrap().iter().find(|span| span["is_primary"] == true);
        if let (Some(span), "error") = (primary, message["level"].as_str().unwrap()) {
            errors.push((span["line_start"].as_u64().unwrap(), message["message"].as_str().unwrap().to_owned()));
        }
    }
    errors
}

#[test]
fn mistakes_are_shown_at_their_line() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ui");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    for file in files {
        let source = std::fs::read_to_string(&file).unwrap();
        let found = errors(&file);
        for (line, text) in (1..).zip(source.lines()) {
            let here: Vec<&str> = found.iter().filter(|(at, _)| *at == line).map(|(_, text)| text.as_str()).collect();
            match text.split_once("//~ ") {
                Some((_, expected)) => assert!(
                    here.iter().any(|message| message.contains(expected)),
                    "{}:{line} should show {expected:?}, all errors: {found:#?}",
                    file.display()
                ),
                // Some of rustc's errors come a second time, at the derive.
                None => assert!(
                    here.iter().all(|message| text.starts_with("#[derive") && expected_somewhere(&source, message)),
                    "{}:{line} shows {here:?}",
                    file.display()
                ),
            }
        }
    }
}

fn expected_somewhere(source: &str, message: &str) -> bool {
    source.lines().filter_map(|line| line.split_once("//~ ")).any(|(_, expected)| message.contains(expected))
}
