//! `wasmill check --explain` of good pipelines, against snapshots.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../core/tests/common/mod.rs"]
mod common;

use std::path::Path;

use wasmill_core::{config, planner};

fn explain(name: &str) -> planner::Explanation {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("core/tests/pipelines").join(name);
    let text = std::fs::read_to_string(path).unwrap();
    let vars = |name: &str| (name == "INFLUX_TOKEN").then(|| "hunter2".to_owned());
    let config = config::parse(&text, &vars).unwrap();
    assert!(!format!("{config:?}").contains("hunter2"), "secrets do not show");
    let plan = planner::plan(&config, &common::plugins()).unwrap();
    planner::explain(&config, &plan)
}

#[test]
fn the_plan_of_good_pipelines_is_explained() {
    for name in ["activity", "commerce", "everything", "outputs"] {
        insta::with_settings!({ prepend_module_to_snapshot => false, snapshot_path => "explained", omit_expression => true }, {
            insta::assert_snapshot!(name, explain(&format!("{name}.toml")).to_string());
        });
    }
}

#[test]
fn the_explanation_is_json_as_well() {
    let json = serde_json::to_value(explain("commerce.toml")).unwrap();
    let routes = json["sources"][0]["routes"].as_array().unwrap();
    let exchanged: Vec<bool> = routes.iter().map(|route| route["aggregate"]["exchanged"].as_bool().unwrap()).collect();
    assert_eq!(exchanged, [true, true, false, true]);
    assert_eq!(routes[2]["to"][0]["key"][0], "user_id");
}
