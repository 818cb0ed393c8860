//! A compiled plugin file.

use sha2::{Digest, Sha256};
use wasmtime::component::{Component, Linker};

use crate::compile::{MAX_MESSAGE_BYTES, compile};
use crate::contract::{Surface, World, inspect};
use crate::engine::Engine;
use crate::error::LoadError;
use crate::guest::{Guest, Imports};
use crate::limits::size;
use crate::strings::clean;
use crate::v0_1;
use crate::wasi::{self, Need};

/// The largest file that is read as a plugin. Components with a Python runtime have 20-40 MiB.
pub const MAX_FILE_BYTES: u64 = 64 << 20;
const SHORT_DIGITS: usize = 12;

/// A compiled plugin file, named by the sha256 of its bytes. It has not run yet.
pub struct Release {
    sha256: String,
    bytes: u64,
    surface: Surface,
    exports: Exports,
}

/// The component with its imports in place: instances are made from it in microseconds.
pub(crate) enum Exports {
    Transformer(v0_1::TransformerPre<Guest>),
    Aggregator(v0_1::AggregatorPre<Guest>),
}

impl Release {
    /// Checks a file against the contract and compiles it, or takes its code from the engine's cache. Nothing of it runs.
    /// `bytes`: a core module (what plain cargo builds for `wasm32-unknown-unknown`) or a component.
    ///
    /// # Errors
    /// Every variant of [`LoadError`] that names a file's fault; those of a configuration come from
    /// [`Plugin::new`](crate::Plugin::new).
    pub fn compile(engine: &Engine, bytes: &[u8]) -> Result<Self, LoadError> {
        if bytes.len() as u64 > MAX_FILE_BYTES {
            return Err(LoadError::TooLarge { bytes: bytes.len() as u64, limit: MAX_FILE_BYTES });
        }
        let surface = inspect(bytes)?;
        let sha256 = format!("{:x}", Sha256::digest(bytes));
        let cached = engine.cache().and_then(|cache| cache.load(engine.wasmtime(), &sha256));
        let component = match cached {
            Some(component) => component,
            None => {
                let component = compile(engine, bytes, surface.layout)?;
                if let Some(cache) = engine.cache() {
                    cache.store(&sha256, &component);
                }
                component
            }
        };
        let exports = link(engine, &component, surface.world)
            .map_err(|error| LoadError::Incompatible(clean(&format!("{error:#}"), MAX_MESSAGE_BYTES)))?;
        Ok(Release { sha256, bytes: bytes.len() as u64, surface, exports })
    }

    /// In 64 hex digits.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// The first 12 digits of the sha256, for people.
    pub fn short(&self) -> &str {
        self.sha256.get(..SHORT_DIGITS).unwrap_or(&self.sha256)
    }

    pub fn world(&self) -> World {
        self.surface.world
    }

    /// Interfaces that the plugin imports, with their versions.
    pub fn imports(&self) -> &[String] {
        &self.surface.imports
    }

    /// Grants that it may need, by what it imports: a language's runtime imports more than a plugin calls.
    pub fn needs(&self) -> Vec<Need> {
        wasi::needs(&self.surface.imports)
    }

    /// The file's length.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn exports(&self) -> &Exports {
        &self.exports
    }
}

impl std::fmt::Debug for Release {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Release({} {}, {})", self.world().name(), self.short(), size(self.bytes))
    }
}

/// Compares the types of imports; those of exports are compared when an instance is made.
fn link(engine: &Engine, component: &Component, world: World) -> wasmtime::Result<Exports> {
    let mut linker: Linker<Guest> = Linker::new(engine.wasmtime());
    // Both worlds import the same interfaces.
    v0_1::Transformer::add_to_linker::<Guest, Imports>(&mut linker, |guest| guest)?;
    wasi::link(&mut linker, component)?;
    let linked = linker.instantiate_pre(component)?;
    Ok(match world {
        World::Transformer => Exports::Transformer(v0_1::TransformerPre::new(linked)?),
        World::Aggregator => Exports::Aggregator(v0_1::AggregatorPre::new(linked)?),
    })
}
