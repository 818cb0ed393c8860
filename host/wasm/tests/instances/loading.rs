//! Files and descriptors that are refused before an event is seen.

use std::sync::Arc;

use wasmill_core::plugin::Fault;
use wasmill_wasm::{LoadError, MAX_FILE_BYTES, NoLog, Plugin, Release, World};

use crate::guests::{aggregator_release, assert_fault, engine, load, tight, transformer_release, wasm};

fn refused(file: &[u8]) -> LoadError {
    Release::compile(engine(), file).expect_err("the file is refused")
}

fn module(text: &str) -> Vec<u8> {
    wat::parse_str(format!("(module {text})")).unwrap()
}

fn component(text: &str) -> Vec<u8> {
    wat::parse_str(format!("(component {text})")).unwrap()
}

/// A module that exports functions of these names, which do nothing.
fn exporting(names: &[&str]) -> Vec<u8> {
    module(&names.iter().map(|name| format!("(func (export \"{name}\"))")).collect::<String>())
}

#[test]
fn a_release_tells_what_it_is() {
    let release = transformer_release();
    assert_eq!(release.world(), World::Transformer);
    assert_eq!(release.sha256().len(), 64);
    assert!(release.sha256().starts_with(release.short()));
    assert_eq!(release.imports(), ["wasmill:plugin/log@0.1.0", "wasmill:plugin/metrics@0.1.0"]);
    assert_eq!(aggregator_release().world(), World::Aggregator);
    assert!(aggregator_release().imports().is_empty(), "what a plugin does not call it does not import");
}

#[test]
fn what_is_no_plugin_is_refused_with_what_to_do() {
    assert!(matches!(refused(b"\x7fELF and so on"), LoadError::NotWasm));
    assert!(matches!(refused(b""), LoadError::NotWasm));
    assert!(matches!(refused(b"\0asm\x01\0\0\0\xff\xff\xff"), LoadError::Malformed(_)));
    assert!(matches!(refused(&vec![0; MAX_FILE_BYTES as usize + 1]), LoadError::TooLarge { .. }));
    let error = refused(&module("(func (export \"main\"))")).to_string();
    assert!(error.contains("exports no plugin") && error.contains("cdylib"), "{error}");
    let mut cut = wasm("transformer");
    cut.truncate(cut.len() / 2);
    assert!(matches!(refused(&cut), LoadError::Malformed(_)));
}

#[test]
fn another_version_of_the_contract_is_named_with_the_one_that_is_spoken() {
    let files = [
        exporting(&["wasmill:plugin/transform@0.2.0#configure", "wasmill:plugin/transform@0.2.0#transform"]),
        module("(import \"wasmill:plugin/log@0.2.0\" \"log\" (func (param i32 i32 i32)))"),
        component("(instance $i) (export \"wasmill:plugin/transform@0.2.0\" (instance $i))"),
    ];
    for file in files {
        let error = refused(&file);
        assert!(matches!(error, LoadError::OtherVersion { .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains("version 0.2.0") && text.contains("speaks 0.1.0") && text.contains("@0.2.0"), "{text}");
    }
}

#[test]
fn imports_that_nobody_offers_are_named_and_those_of_wasi_get_their_own_advice() {
    let error = refused(&module("(import \"wasi_snapshot_preview1\" \"fd_write\" (func))")).to_string();
    assert!(error.contains("wasi_snapshot_preview1") && error.contains("wasm32-unknown-unknown"), "{error}");
    let error = refused(&component("(import \"wasi:http/outgoing-handler@0.2.3\" (instance))")).to_string();
    assert!(error.contains("wasi:http/outgoing-handler@0.2.3: HTTP is not granted to anyone yet"), "{error}");
    let error = refused(&component("(import \"wasi:cli/environment@0.3.0\" (instance))")).to_string();
    assert!(error.contains("wasi:cli/environment@0.3.0") && error.contains("Wasmill knows 0.2"), "{error}");
    let unknown = ["env", "wasmill:plugin/lookup@0.1.0", "wasi:nn/graph@0.2.0", "evil\nname"];
    for import in unknown {
        let error = refused(&module(&format!("(import {import:?} \"f\" (func))")));
        assert!(matches!(error, LoadError::UnknownImport { .. }), "{error}");
        assert!(error.to_string().contains(&import.replace('\n', "\\n")), "{error}");
        assert!(!error.to_string().contains('\n'), "{error}");
    }
}

#[test]
fn missing_exports_and_wrong_types_are_named() {
    let transform = "wasmill:plugin/transform@0.1.0";
    let error = refused(&exporting(&[&format!("{transform}#configure")]));
    assert!(error.to_string().contains("wasmill:plugin/transform@0.1.0#transform"), "{error}");
    let error = refused(&exporting(&["wasmill:plugin/aggregate@0.1.0#configure"]));
    assert!(matches!(error, LoadError::MissingExport { .. }), "{error}");
    let error = refused(&component("(instance $i) (export \"wasmill:plugin/aggregate@0.1.0\" (instance $i))"));
    assert!(error.to_string().contains("does not export wasmill:plugin/state@0.1.0"), "{error}");
    let error = refused(&component(&format!("(instance $i) (export \"{transform}\" (instance $i))")));
    assert!(matches!(&error, LoadError::Incompatible(message) if message.contains("configure")), "{error}");
    let error = refused(&exporting(&[&format!("{transform}#configure"), &format!("{transform}#transform")]));
    assert!(matches!(error, LoadError::Incompatible(_)), "a module without a description of its types: {error}");
}

#[test]
fn a_file_with_both_worlds_is_refused() {
    let transform = ["configure", "transform"].map(|f| format!("wasmill:plugin/transform@0.1.0#{f}"));
    let names: Vec<&str> =
        transform.iter().map(String::as_str).chain(["wasmill:plugin/aggregate@0.1.0#emit"]).collect();
    assert!(matches!(refused(&exporting(&names)), LoadError::TwoWorlds));
}

#[test]
fn a_component_loads_as_its_module_does() {
    let encoded = wit_component::ComponentEncoder::default().module(&wasm("transformer")).unwrap().encode().unwrap();
    let release = Arc::new(Release::compile(engine(), &encoded).unwrap());
    assert!(release.imports().contains(&"wasmill:plugin/log@0.1.0".to_owned()));
    let plugin = load(release, "", Arc::new(NoLog)).unwrap();
    assert!(crate::guests::transform(&mut *plugin.transformer().unwrap(), &["view"]).is_ok());
}

#[test]
fn a_descriptor_that_breaks_a_rule_is_refused_by_its_name() {
    let cases = [
        ("descriptor-newline", "the plugin's name (echo\\nlevel=error msg=forged)"),
        ("descriptor-field-name", "output out: the name of a field (label,host=evil 1)"),
        ("descriptor-empty-name", "output out: the name of a field is empty"),
        ("descriptor-duplicate", "output out: field label twice"),
        ("descriptor-option", "option \"turbo\" is unknown; known: deterministic"),
        ("descriptor-reads-twice", "it reads field text twice"),
        ("descriptor-many", "1001 fields it reads, at most 1000"),
        ("descriptor-time", "output out has several fields with the role time"),
        ("descriptor-time-kind", "field size has the role time: it must be a timestamp"),
        ("descriptor-no-output", "it has no output"),
    ];
    for (mode, rule) in cases {
        let error = load(transformer_release(), mode, Arc::new(NoLog)).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, LoadError::Descriptor { .. }), "{text}");
        assert!(text.starts_with("plugin suspect describes itself wrongly") && text.contains(rule), "{text}");
        assert!(!text.contains('\n'), "{text}");
    }
    for (mode, rule) in [("extends", "output out extends"), ("versions", "writes version 2 of its state")] {
        let error = load(aggregator_release(), mode, Arc::new(NoLog)).unwrap_err().to_string();
        assert!(error.contains(rule), "{error}");
    }
}

#[test]
fn a_configuration_that_is_refused_or_fails_says_whose_fault_it_is() {
    let error = load(transformer_release(), "configure-refuse", Arc::new(NoLog)).unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("plugin suspect refuses its configuration: `field` is missing\\nand so is"), "{text}");
    let faults = [("configure-trap", Fault::Trap, "explode"), ("configure-loop", Fault::Deadline, "limits.call")];
    for (mode, fault, rule) in faults {
        let error = load(transformer_release(), mode, Arc::new(NoLog)).unwrap_err();
        let LoadError::Start(error) = error else { panic!("{error}") };
        assert_fault(&error, "configure", fault, rule);
    }
}

#[test]
fn a_plugin_makes_instances_of_its_own_world_alone() {
    let plugin = Plugin::new(engine(), "suspect", aggregator_release(), "\"\"", tight(), Arc::new(NoLog)).unwrap();
    let Err(error) = plugin.transformer() else { panic!("an aggregator is no transformer") };
    assert_fault(&error, "start", Fault::Invalid, "it is an aggregator");
    assert_eq!(plugin.states().unwrap().restores, [1, 2]);
}
