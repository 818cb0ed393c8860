//! For the tools of those who write plugins: core modules of other languages become files that a host loads.

use wit_component::{StringEncoding, embed_component_metadata};
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
