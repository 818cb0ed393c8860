//! Why a plugin file cannot be used.

use std::time::Duration;

use wasmill_core::plugin::CallError;

use crate::contract::CONTRACT_VERSION;
use crate::limits::size;

/// A plugin that is refused before it sees an event. The caller adds the file's path and the place in the configuration.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LoadError {
    #[error(
        "this is not a WebAssembly file: build the plugin with `--target wasm32-unknown-unknown` and name the .wasm file"
    )]
    NotWasm,
    #[error("the file has {}, more than the {} a plugin may have", size(*.bytes), size(*.limit))]
    TooLarge { bytes: u64, limit: u64 },
    #[error("the WebAssembly file is damaged: {0}")]
    Malformed(String),
    #[error(
        "the file exports no plugin (neither wasmill:plugin/transform@{CONTRACT_VERSION} nor wasmill:plugin/aggregate@{CONTRACT_VERSION}): \
         does it end with `wasmill_sdk::transformer!(..)` or `wasmill_sdk::aggregator!(..)`, and is its crate-type \"cdylib\"?"
    )]
    NoWorld,
    #[error("the file exports a transformer and an aggregator: a plugin is one of them, so make two files")]
    TwoWorlds,
    #[error(
        "the plugin speaks version {found} of the contract ({interface}), this Wasmill speaks {CONTRACT_VERSION}: build it with the SDK \
         of this version"
    )]
    OtherVersion { interface: String, found: String },
    #[error(
        "the plugin imports {import}: it is a core module for WASI preview 1; build it for wasm32-unknown-unknown or as a component \
         (`wasmill plugin build` does)"
    )]
    Preview1 { import: String },
    #[error("the plugin imports {import}: of WASI, Wasmill knows 0.2; build it with tools of that version")]
    WasiVersion { import: String },
    #[error("the plugin imports {import}: HTTP is not granted to anyone yet; build it without")]
    Http { import: String },
    #[error(
        "the plugin imports {import}, which Wasmill does not offer: a plugin may import wasmill:plugin/log@{CONTRACT_VERSION}, \
         wasmill:plugin/metrics@{CONTRACT_VERSION}, and of WASI 0.2 cli, io, clocks, random, filesystem and sockets"
    )]
    UnknownImport { import: String },
    #[error("the plugin does not export {export}, which its world requires")]
    MissingExport { export: String },
    #[error("the plugin does not fit the contract {CONTRACT_VERSION}: {0}")]
    Incompatible(String),
    #[error(
        "the plugin has {found} {what}, at most {limit} are compiled: build it with optimisation (`wasmill plugin build` does), or \
         make several plugins of it"
    )]
    TooMuchCode { what: &'static str, found: u64, limit: u64 },
    #[error("the plugin cannot be compiled: {0}")]
    Compile(String),
    #[error(
        "the plugin takes more than {limit:?} to compile: make its largest functions smaller, or give this machine more time"
    )]
    CompileTime { limit: Duration },
    #[error(
        "another plugin that took too long to compile still is: restart without that plugin, or try again when it is done"
    )]
    CompileBusy,
    #[error("plugin {plugin} refuses its configuration: {message}")]
    Configuration { plugin: String, message: String },
    #[error("plugin {plugin} describes itself wrongly: {message}")]
    Descriptor { plugin: String, message: String },
    /// It trapped, ran too long or took too much memory before its first event.
    #[error(transparent)]
    Start(#[from] CallError),
    #[error("the WebAssembly engine cannot start: {0}")]
    Engine(String),
    #[error("the cache of compiled plugins cannot be used: {0}")]
    Cache(String),
}
