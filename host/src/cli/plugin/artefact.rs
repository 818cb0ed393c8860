//! A plugin's file, held against the contract as the host would.

use std::path::{Path, PathBuf};

use serde::Serialize;
use wasmill_wasm::{Engine, Release};

use super::Problem;

/// A plugin that was built, found usable, and put where pipelines name it.
#[derive(Debug, Serialize)]
pub struct Artefact {
    /// The library's, which the file is called by.
    pub name: String,
    pub world: &'static str,
    pub file: PathBuf,
    pub bytes: u64,
    /// 64 hex digits: what `sha256` in a pipeline may demand.
    pub sha256: String,
}

impl Artefact {
    /// Checks `built` and copies it to `folder/NAME.wasm`. Whoever reads that file sees the old or the new one, never a part.
    ///
    /// # Errors
    /// The host would refuse the file, or it cannot be written.
    pub fn place(engine: &Engine, name: &str, built: &Path, folder: &Path) -> Result<Self, Problem> {
        let cannot =
            |what: &str, path: &Path, error| Problem::Failed(format!("cannot {what} {}: {error}", path.display()));
        let bytes = std::fs::read(built).map_err(|error| cannot("read", built, error))?;
        let release = Release::compile(engine, &bytes)
            .map_err(|error| Problem::Failed(format!("{name} was built and cannot be used: {error}")))?;
        std::fs::create_dir_all(folder).map_err(|error| cannot("create", folder, error))?;
        let file = folder.join(format!("{name}.wasm"));
        let part = folder.join(format!(".{name}.wasm.{}", std::process::id()));
        std::fs::write(&part, &bytes)
            .and_then(|()| std::fs::rename(&part, &file))
            .map_err(|error| cannot("write", &file, error))?;
        Ok(Artefact {
            name: name.to_owned(),
            world: release.world().name(),
            file,
            bytes: release.bytes(),
            sha256: release.sha256().to_owned(),
        })
    }
}
