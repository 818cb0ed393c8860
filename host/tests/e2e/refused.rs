//! What is refused before anything is consumed: plugins that are none, and a port that is taken.

use std::net::TcpListener;
use std::process::Stdio;

use wasmill_kafka::ConnectionConfig;
use wasmill_kafka::admin::Admin;
use wasmill_testkit::kafka::shared;
use wasmill_testkit::unique;

use crate::guests;
use crate::support::{wasmill, write_pipeline};

/// One plugin that cannot be used.
struct Case {
    what: &'static str,
    file: Vec<u8>,
    config: &'static str,
    /// The key of the route that uses it.
    used_as: &'static str,
    /// What the error says.
    says: &'static [&'static str],
}

/// The same file with other bytes of the same length everywhere.
fn forged(world: &'static str, from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut file = guests::wasm(world);
    let found: Vec<usize> = (0..file.len() - from.len()).filter(|&i| file[i..].starts_with(from.as_bytes())).collect();
    assert!(!found.is_empty(), "{from} is not in the file");
    found.into_iter().for_each(|i| file[i..i + to.len()].copy_from_slice(to.as_bytes()));
    file
}

fn cases() -> Vec<Case> {
    let transformer = || guests::wasm("transformer");
    let case = |what, file, says| Case { what, file, config: "{}", used_as: "transform = [\"suspect\"]", says };
    vec![
        case("not wasm", b"#!/bin/sh\nexit 0\n".to_vec(), &["wasm"]),
        case("empty", vec![], &["wasm"]),
        case("cut in half", transformer()[..20_000].to_vec(), &[]),
        case("another contract", forged("transformer", "@0.1.0", "@0.2.0"), &["0.2.0", "0.1.0"]),
        case(
            "unknown import",
            forged("transformer", "wasmill:plugin/log@", "wasmill:plugin/lag@"),
            &["wasmill:plugin/lag@0.1.0"],
        ),
        case("missing export", forged("transformer", "@0.1.0#transform", "@0.1.0#transfork"), &["#transform"]),
        case("wrong world", guests::wasm("aggregator"), &["aggregat"]),
        Case {
            used_as: "aggregate = \"suspect\"\nwindow = { tumbling = \"1s\" }",
            ..case("the other wrong world", transformer(), &["transform"])
        },
        Case { config: "{ mode = \"configure-trap\" }", ..case("trap in configure", transformer(), &["configure"]) },
        Case {
            config: "{ mode = \"configure-loop\" }",
            ..case("endless configure", transformer(), &["configure", "limits.call"])
        },
        Case {
            config: "{ mode = \"configure-refuse\" }",
            ..case("refused configuration", transformer(), &["refuses its configuration", "`field` is missing"])
        },
    ]
}

fn pipeline(topic: &str, plugin: &str, config: &str, route: &str) -> String {
    format!(
        r#"
[kafka]
brokers = "{}"
[sources.events]
topic = "{topic}"
partitions = 1
[plugins.suspect]
path = "{plugin}"
config = {config}
limits = {{ call = "100ms" }}
[sinks.screen]
type = "stdout"
[routes.only]
from = "events"
{route}
to = ["screen"]
"#,
        shared().address()
    )
}

/// Runs a command on a pipeline; its exit code and what it says.
fn said(command: &str, file: &std::path::Path, more: &[&str]) -> (Option<i32>, String) {
    let arguments: Vec<&str> = [command, file.to_str().unwrap()].into_iter().chain(more.iter().copied()).collect();
    let output = wasmill(&arguments).stdout(Stdio::piped()).output().unwrap();
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    (output.status.code(), said)
}

/// Both commands end with 2 and say the words; the topic was not even made.
fn assert_refused(what: &str, toml: &str, topic: &str, words: &[&str]) {
    let (_folder, file) = write_pipeline(toml);
    for (command, more) in [("check", &[][..]), ("run", &["--listen", "127.0.0.1:0"][..])] {
        let (code, said) = said(command, &file, more);
        assert_eq!(code, Some(2), "{what}: {command}: {said}");
        // The words of a message may be broken into lines.
        let flat: String = said.split_whitespace().filter(|word| *word != "│").collect::<Vec<_>>().join(" ");
        for word in words {
            assert!(flat.contains(word), "{what}: {command} does not say {word:?}: {said}");
        }
    }
    let admin = Admin::new(&ConnectionConfig::new(shared().address())).unwrap();
    assert_eq!(admin.partitions(topic).unwrap(), None, "{what}: something was done already");
}

#[test]
fn plugins_that_cannot_be_used_are_refused_by_name_before_anything_is_consumed() {
    let folder = tempfile::tempdir().unwrap();
    let plugin = folder.path().join("suspect.wasm");
    for case in cases() {
        std::fs::write(&plugin, &case.file).unwrap();
        let topic = unique("refused");
        let toml = pipeline(&topic, plugin.to_str().unwrap(), case.config, case.used_as);
        let words: Vec<&str> = case.says.iter().copied().chain(["suspect"]).collect();
        assert_refused(case.what, &toml, &topic, &words);
    }
}

#[test]
fn a_field_that_nobody_provides_is_named_with_who_reads_it() {
    // Text has no fields: the second route's key is neither there nor written by the first one's transformer.
    let topic = unique("refused");
    let routes = "transform = [\"suspect\"]\n[routes.second]\nfrom = \"only\"\nkey = [\"nowhere\"]\n\
                  aggregate = \"builtin:count\"\nwindow = { tumbling = \"1s\" }";
    let toml = pipeline(&topic, "builtin:validate", "{ required = [\"@value\"] }", routes);
    let raw = toml.replace("partitions = 1", "partitions = 1\nformat = \"text\"");
    assert_refused("a field that nobody provides", &raw, &topic, &["nowhere", "second"]);
}

#[test]
fn a_port_in_use_is_said_with_advice() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let topic = unique("port");
    let toml = pipeline(&topic, "builtin:count", "{}", "aggregate = \"suspect\"\nwindow = { tumbling = \"1s\" }");
    let (_folder, file) = write_pipeline(&toml);
    let (code, said) = said("run", &file, &["--listen", &address]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains(&address) && said.contains("in use") && said.contains("[server] listen"), "{said}");
}
