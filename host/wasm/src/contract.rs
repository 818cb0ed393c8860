//! What a file asks for and offers, read from its names before anything is compiled or run.
//!
//! A core module and a component name the same things differently: a module imports `log` from `wasmill:plugin/log@0.1.0` and exports
//! `wasmill:plugin/transform@0.1.0#transform`; a component imports and exports whole interfaces.

use std::collections::BTreeSet;

use wasmparser::{Parser, Payload};

use crate::error::LoadError;
use crate::strings::clean;
use crate::wasi::{Offer, judge};

/// The version of the contract that this crate has bindings for.
pub const CONTRACT_VERSION: &str = "0.1.0";
const PACKAGE: &str = "wasmill:plugin/";
/// `types` holds no functions: components name it because their interfaces use it.
const OFFERED: [&str; 3] = ["types", "log", "metrics"];
const TRANSFORM: &[&str] = &["configure", "transform"];
const AGGREGATE: &[&str] = &["configure", "accumulate", "merge", "emit"];
const STATE: &[&str] = &["versions", "snapshot", "restore", "forget"];
const MAX_NAME_BYTES: usize = 200;

/// What a plugin is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum World {
    Transformer,
    Aggregator,
}

impl World {
    /// The contract's word for it.
    pub fn name(self) -> &'static str {
        match self {
            World::Transformer => "transformer",
            World::Aggregator => "aggregator",
        }
    }

    fn exports(self) -> &'static [(&'static str, &'static [&'static str])] {
        match self {
            World::Transformer => &[("transform", TRANSFORM)],
            World::Aggregator => &[("aggregate", AGGREGATE), ("state", STATE)],
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    Module,
    Component,
}

/// A file that fits the contract, as far as names tell.
#[derive(Clone, Debug)]
pub(crate) struct Surface {
    pub(crate) layout: Layout,
    pub(crate) world: World,
    /// Interfaces, with their versions, in alphabetical order.
    pub(crate) imports: Vec<String>,
}

/// Reads the names of a file and compares them with the contract.
pub(crate) fn inspect(bytes: &[u8]) -> Result<Surface, LoadError> {
    let layout = if Parser::is_component(bytes) {
        Layout::Component
    } else if Parser::is_core_wasm(bytes) {
        Layout::Module
    } else {
        return Err(LoadError::NotWasm);
    };
    let names = Names::read(bytes).map_err(|error| LoadError::Malformed(error.to_string()))?;
    for interface in names.imports.iter().chain(&names.exports) {
        check_version(interface)?;
    }
    for import in &names.imports {
        check_import(import)?;
    }
    let world = names.world(layout)?;
    Ok(Surface { layout, world, imports: names.imports.into_iter().collect() })
}

/// Interfaces that a file names, and the single functions of those it exports (modules only).
#[derive(Default)]
struct Names {
    imports: BTreeSet<String>,
    exports: BTreeSet<String>,
    functions: BTreeSet<String>,
}

impl Names {
    fn read(bytes: &[u8]) -> Result<Self, wasmparser::BinaryReaderError> {
        let mut names = Names::default();
        // Modules and components inside a component have names of their own, which say nothing of the file.
        let mut depth = 0usize;
        for payload in Parser::new(0).parse_all(bytes) {
            match payload? {
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::ImportSection(section) if depth == 0 => {
                    for import in section.into_imports() {
                        names.imports.insert(import?.module.to_owned());
                    }
                }
                Payload::ExportSection(section) if depth == 0 => {
                    for export in section {
                        names.add_function(export?.name);
                    }
                }
                Payload::ComponentImportSection(section) if depth == 0 => {
                    for import in section {
                        names.imports.insert(import?.name.name.to_owned());
                    }
                }
                Payload::ComponentExportSection(section) if depth == 0 => {
                    for export in section {
                        names.exports.insert(export?.name.name.to_owned());
                    }
                }
                _ => {}
            }
        }
        Ok(names)
    }

    fn add_function(&mut self, export: &str) {
        if let Some((interface, _)) = export.split_once('#') {
            // `cabi_post_wasmill:plugin/...` frees a result: no function of the contract.
            if interface.starts_with(PACKAGE) {
                self.exports.insert(interface.to_owned());
                self.functions.insert(export.to_owned());
            }
        }
    }

    fn world(&self, layout: Layout) -> Result<World, LoadError> {
        let exports = |interface: &str| self.exports.contains(&versioned(interface));
        let world = match (exports("transform"), exports("aggregate")) {
            (true, true) => return Err(LoadError::TwoWorlds),
            (true, false) => World::Transformer,
            (false, true) => World::Aggregator,
            (false, false) => return Err(LoadError::NoWorld),
        };
        for (interface, functions) in world.exports() {
            let interface = versioned(interface);
            if !self.exports.contains(&interface) {
                return Err(LoadError::MissingExport { export: interface });
            }
            for function in *functions {
                let export = format!("{interface}#{function}");
                if layout == Layout::Module && !self.functions.contains(&export) {
                    return Err(LoadError::MissingExport { export });
                }
            }
        }
        Ok(world)
    }
}

fn versioned(interface: &str) -> String {
    format!("{PACKAGE}{interface}@{CONTRACT_VERSION}")
}

fn check_version(name: &str) -> Result<(), LoadError> {
    let Some(interface) = name.strip_prefix(PACKAGE) else { return Ok(()) };
    match interface.split_once('@') {
        Some((_, CONTRACT_VERSION)) => Ok(()),
        Some((_, found)) => {
            Err(LoadError::OtherVersion { interface: clean(name, MAX_NAME_BYTES), found: clean(found, MAX_NAME_BYTES) })
        }
        None => Err(LoadError::OtherVersion { interface: clean(name, MAX_NAME_BYTES), found: "none".to_owned() }),
    }
}

fn check_import(name: &str) -> Result<(), LoadError> {
    let import = clean(name, MAX_NAME_BYTES);
    match judge(name) {
        Offer::Wasi(_) => Ok(()),
        Offer::OtherVersion => Err(LoadError::WasiVersion { import }),
        Offer::Http => Err(LoadError::Http { import }),
        Offer::Preview1 => Err(LoadError::Preview1 { import }),
        Offer::Other if OFFERED.iter().any(|interface| name == versioned(interface)) => Ok(()),
        Offer::Other | Offer::Unknown => Err(LoadError::UnknownImport { import }),
    }
}
