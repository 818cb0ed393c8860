//! For the tools of those who write plugins: core modules of other languages become files that a host loads.

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{Resolve, SourceMap};

use crate::error::LoadError;
use crate::strings::clean;

const MAX_MESSAGE_BYTES: usize = 2048;
const WIT: [(&str, &str); 6] = [
    ("types.wit", include_str!("../../../wit/v0.1/types.wit")),
    ("host.wit", include_str!("../../../wit/v0.1/host.wit")),
    ("state.wit", include_str!("../../../wit/v0.1/state.wit")),
    ("transform.wit", include_str!("../../../wit/v0.1/transform.wit")),
    ("aggregate.wit", include_str!("../../../wit/v0.1/aggregate.wit")),
    ("worlds.wit", include_str!("../../../wit/v0.1/worlds.wit")),
];
const PREVIEW1: &str = "wasi_snapshot_preview1";

/// A core module with the section that says what its functions mean: what `wit-bindgen` writes for Rust.
/// `world`: `transformer` or `aggregator`.
///
/// # Errors
/// The module is none.
pub fn describe(module: &[u8], world: &str) -> Result<Vec<u8>, LoadError> {
    let wrong = |error: String| LoadError::Incompatible(clean(&error, MAX_MESSAGE_BYTES));
    let mut sources = SourceMap::default();
    for (name, text) in WIT {
        sources.push_str(name, text);
    }
    let mut resolve = Resolve::default();
    let group = sources.parse().map_err(|(_, error)| wrong(error.to_string()))?;
    let package = resolve.push_group(group).map_err(|error| wrong(format!("{error:#}")))?;
    let world = resolve.select_world(&[package], Some(world)).map_err(|error| wrong(format!("{error:#}")))?;
    let mut described = module.to_vec();
    embed_component_metadata(&mut described, &resolve, world, StringEncoding::UTF8)
        .map_err(|error| wrong(format!("{error:#}")))?;
    Ok(described)
}

/// A component of a core module that was built for WASI preview 1 as a library (a reactor), as Go does.
///
/// # Errors
/// The module does not export the world's functions, with its types.
pub fn adapt(module: &[u8], world: &str) -> Result<Vec<u8>, LoadError> {
    let module = describe(module, world)?;
    ComponentEncoder::default()
        .module(&module)
        .and_then(|encoder| {
            encoder.adapter(PREVIEW1, wasi_preview1_component_adapter_provider::WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER)
        })
        // Go cannot be called before its runtime runs, and the adapter needs its memory then.
        .and_then(|encoder| encoder.realloc_via_memory_grow(true).validate(true).encode())
        .map_err(|error| LoadError::Incompatible(clean(&format!("{error:#}"), MAX_MESSAGE_BYTES)))
}
