//! `host/docs/errors.md` explains every stage and code that a dead letter can carry, and nothing that does not exist.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;
use std::fs::read_to_string;
use std::path::{Path, PathBuf};

use wasmill_core::dead_letter::Stage;
use wasmill_core::plugin::Fault;

/// How the sources write a code: in a field, or as the first of a pair with its reason.
const CODED: [&str; 2] = ["code: \"", "=> (\""];

fn host() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn page() -> String {
    read_to_string(host().join("docs/errors.md")).unwrap()
}

/// First cells of the table of codes.
fn explained(page: &str) -> BTreeSet<String> {
    let table = page.split("| code | stages |").nth(1).unwrap();
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    rows.filter_map(|row| row.split('`').nth(1)).map(str::to_owned).collect()
}

/// Codes written out in the sources that refuse events.
fn written(folder: &Path, codes: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            written(&path, codes);
            continue;
        }
        let text = read_to_string(&path).unwrap_or_default();
        for mark in CODED {
            let found = text.split(mark).skip(1).filter_map(|rest| rest.split('"').next());
            codes.extend(found.filter(|code| !code.is_empty()).map(str::to_owned));
        }
    }
}

#[test]
fn every_stage_that_a_letter_can_name_is_explained() {
    let page = page();
    let stages = [Stage::Decode, Stage::Time, Stage::Transform, Stage::Key, Stage::Late, Stage::Aggregate, Stage::Sink];
    for stage in stages {
        assert!(page.contains(&format!("`{}`", stage.name())), "errors.md says nothing of the stage {}", stage.name());
    }
}

#[test]
fn every_fault_of_a_plugin_is_explained() {
    let explained = explained(&page());
    let faults = [Fault::Trap, Fault::Deadline, Fault::Memory, Fault::Output, Fault::Refused, Fault::Invalid];
    for fault in faults {
        assert!(explained.contains(fault.name()), "errors.md says nothing of {}", fault.name());
    }
}

#[test]
fn every_code_in_the_sources_is_explained() {
    let mut codes = BTreeSet::new();
    for folder in ["decode/src", "src/task", "src/sink"] {
        written(&host().join(folder), &mut codes);
    }
    assert!(codes.len() > 6, "the codes are written differently now: {codes:?}");
    let missing: Vec<_> = codes.difference(&explained(&page())).cloned().collect();
    assert!(missing.is_empty(), "errors.md says nothing of {missing:?}");
}

#[test]
fn the_dashboard_has_advice_for_every_code() {
    let panels = read_to_string(host().join("web/js/panels.js")).unwrap();
    let advice = panels.split("const ADVICE = {").nth(1).unwrap().split("};").next().unwrap();
    for code in explained(&page()) {
        let quoted = [format!("\n  {code}: "), format!("\n  \"{code}\": ")];
        assert!(quoted.iter().any(|key| advice.contains(key.as_str())), "panels.js advises nothing on {code}");
    }
}
