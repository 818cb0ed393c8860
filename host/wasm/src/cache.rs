//! Compiled plugins kept between starts. Compiling takes 70-90 ms a plugin, reading it back less than one.

use std::fs::{self, Metadata};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process;

use sha2::{Digest, Sha256};
use wasmtime::component::Component;

use crate::error::LoadError;

/// Files kept; the oldest go first. At 0.1-40 MiB each.
const MAX_FILES: usize = 256;
const EXTENSION: &str = "cwasm";
const DIGEST_BYTES: usize = 32;

/// A directory of compiled code that this user alone can write to.
#[derive(Debug)]
pub(crate) struct Cache {
    directory: PathBuf,
    /// wasmtime's version and settings: other ones compile to other code.
    compiler: u64,
}

impl Cache {
    /// Makes the directory if it is not there.
    pub(crate) fn open(directory: PathBuf, engine: &wasmtime::Engine) -> Result<Self, LoadError> {
        let failed = |what: &str, error: &dyn std::fmt::Display| {
            LoadError::Cache(format!("{what} {}: {error}", directory.display()))
        };
        make_private(&directory).map_err(|error| failed("cannot make", &error))?;
        let metadata = fs::metadata(&directory).map_err(|error| failed("cannot read", &error))?;
        if !metadata.is_dir() || others_may_write(&metadata) {
            return Err(failed("native code runs from it, so only its owner may write to", &"use `chmod go-w`"));
        }
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        Ok(Cache { directory, compiler: hasher.finish() })
    }

    /// The compiled form of the file with that sha256, if it was stored whole.
    pub(crate) fn load(&self, engine: &wasmtime::Engine, sha256: &str) -> Option<Component> {
        let path = self.path(sha256);
        let metadata = fs::symlink_metadata(&path).ok()?;
        if !metadata.is_file()
            || others_may_write(&metadata)
            || !same_owner(&metadata, &fs::metadata(&self.directory).ok()?)
        {
            return None;
        }
        let stored = fs::read(&path).ok()?;
        let (digest, code) = stored.split_at_checked(DIGEST_BYTES)?;
        if Sha256::digest(code).as_slice() != digest {
            tracing::warn!(path = %path.display(), "a compiled plugin is damaged; it is compiled again");
            return None;
        }
        // SAFETY: the bytes are what `Component::serialize` gave to `store` (their digest says that they are whole), in a file and a
        // directory that only their owner can write to; wasmtime itself checks its version and settings.
        unsafe { Component::deserialize(engine, code) }.ok()
    }

    /// Best effort: a start without a cache is slower, not wrong.
    pub(crate) fn store(&self, sha256: &str, component: &Component) {
        if let Err(error) = self.write(sha256, component) {
            tracing::warn!(directory = %self.directory.display(), %error, "a compiled plugin cannot be kept; it is compiled at each start");
        }
    }

    fn write(&self, sha256: &str, component: &Component) -> Result<(), Box<dyn std::error::Error>> {
        let code = component.serialize()?;
        self.make_room()?;
        let path = self.path(sha256);
        // Complete before it has its name: a reader never sees half a file.
        let unfinished = path.with_extension(format!("{}.tmp", process::id()));
        let mut file = fs::File::create(&unfinished)?;
        file.write_all(&Sha256::digest(&code))?;
        file.write_all(&code)?;
        fs::rename(&unfinished, &path)?;
        Ok(())
    }

    fn path(&self, sha256: &str) -> PathBuf {
        self.directory.join(format!("{sha256}-{:016x}.{EXTENSION}", self.compiler))
    }

    fn make_room(&self) -> std::io::Result<()> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            if entry.path().extension().is_some_and(|extension| extension == EXTENSION) {
                files.push((entry.metadata()?.modified()?, entry.path()));
            }
        }
        files.sort();
        let surplus = (files.len() + 1).saturating_sub(MAX_FILES);
        files.iter().take(surplus).try_for_each(|(_, path)| fs::remove_file(path))
    }
}

#[cfg(unix)]
fn make_private(directory: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

#[cfg(not(unix))]
fn make_private(directory: &Path) -> std::io::Result<()> {
    fs::create_dir_all(directory)
}

#[cfg(unix)]
fn others_may_write(metadata: &Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode() & 0o022 != 0
}

#[cfg(not(unix))]
fn others_may_write(_metadata: &Metadata) -> bool {
    false
}

#[cfg(unix)]
fn same_owner(a: &Metadata, b: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    a.uid() == b.uid()
}

#[cfg(not(unix))]
fn same_owner(_a: &Metadata, _b: &Metadata) -> bool {
    true
}
