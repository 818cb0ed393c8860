//! Mistakes in configurations, as people read them: every file of `mistakes/` against its snapshot.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../core/tests/common/mod.rs"]
mod common;

use std::path::Path;

use wasmill::cli::render::{Source, render};
use wasmill_core::config::{self, Diagnostic};
use wasmill_core::planner;

/// What `wasmill check` would print, with the toy plugins in the place of files.
fn check(name: &str) -> (String, Vec<Diagnostic>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mistakes").join(name);
    let text = std::fs::read_to_string(path).unwrap();
    let vars = |name: &str| match name {
        "NOT_AN_URL" | "SECRET_DURATION" => Some("hunter2".to_owned()),
        _ => None,
    };
    let outcome = config::read(&text, &vars);
    let mut diagnostics = outcome.diagnostics;
    match planner::plan(&outcome.config, &common::plugins()) {
        Ok(_) if diagnostics.is_empty() => diagnostics.extend(planner::warnings(&outcome.config)),
        Ok(_) => {}
        Err(errors) => diagnostics.extend(errors),
    }
    diagnostics.sort_by_key(|diagnostic| diagnostic.span.start);
    (render(&Source::new(name, &text, &outcome.secrets), &diagnostics, false), diagnostics)
}

fn files() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mistakes");
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".toml"))
        .collect();
    names.sort();
    names
}

#[test]
fn every_mistake_is_shown_with_its_place_and_what_would_be_right() {
    for name in files() {
        insta::with_settings!({ prepend_module_to_snapshot => false, snapshot_path => "mistakes", omit_expression => true }, {
            insta::assert_snapshot!(name.trim_end_matches(".toml"), check(&name).0);
        });
    }
}

#[test]
fn every_error_says_where_and_what_to_do() {
    let mut seen = 0;
    for name in files() {
        let (_, diagnostics) = check(&name);
        for diagnostic in &diagnostics {
            // What is missing altogether has no place, and TOML's own errors may stand between two characters.
            let whole_file = name == "nothing.toml" || name == "toml.toml";
            assert!(diagnostic.help.is_some(), "{name}: no help: {}", diagnostic.message);
            assert!(whole_file || !diagnostic.span.is_empty(), "{name}: no place: {}", diagnostic.message);
            assert!(!diagnostic.label.is_empty(), "{name}: no label: {}", diagnostic.message);
        }
        assert!(diagnostics.iter().any(Diagnostic::is_error), "{name}");
        seen += diagnostics.len();
    }
    assert!(seen >= 100, "{seen} mistakes");
}

#[test]
fn what_a_variable_or_a_token_holds_is_never_shown() {
    let (shown, diagnostics) = check("variables.toml");
    assert!(!shown.contains("hunter2") && !shown.contains("plain-text-token"), "{shown}");
    assert!(!format!("{diagnostics:?}").contains("hunter2"));
}
