//! The SDK that travels with the binary: unpacked into the user's cache, so that a plugin compiles against the very contract that
//! this host speaks, without a checkout of the repository.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use toml::{Table, Value};

use super::Problem;
use crate::cli::pipeline::cache_folder;

include!(concat!(env!("OUT_DIR"), "/sdk.rs"));

/// Of the unpacked workspace; its path dependencies among them find each other as they do in the repository.
const MEMBERS: [&str; 2] = ["plugins/sdk", "plugins/sdk-macros"];
/// Digits of the hash in the folder's name: two builds of one version do not share a folder.
const HASH_DIGITS: usize = 12;

/// The SDK's crate in the user's cache, unpacked if it is not there.
///
/// # Errors
/// There is no folder for caches, or it cannot be written.
pub fn unpack() -> Result<PathBuf, Problem> {
    Ok(unpack_all()?.join(MEMBERS[0]))
}

/// The folder of all SDKs and the contract, laid out as in the repository.
///
/// # Errors
/// As [`unpack`].
pub fn unpack_all() -> Result<PathBuf, Problem> {
    let folder = folder().ok_or_else(|| {
        Problem::Misused(
            "there is no folder to unpack the SDK into: set WASMILL_CACHE or HOME, or name a copy with --sdk PATH"
                .to_owned(),
        )
    })?;
    write(&folder)?;
    Ok(folder)
}

/// Caches are emptied now and then: unpacks the SDK again if the crate in `plugin` stands on it.
///
/// # Errors
/// The cache cannot be written.
pub fn restore(plugin: &Path) -> Result<(), Problem> {
    let manifest = std::fs::read_to_string(plugin.join("Cargo.toml")).unwrap_or_default();
    match folder() {
        Some(folder) if manifest.contains(&*folder.to_string_lossy()) => write(&folder),
        _ => Ok(()),
    }
}

/// `sdk-VERSION-HASH`, of everything that is unpacked.
fn folder() -> Option<PathBuf> {
    let cache = std::path::absolute(cache_folder()?).ok()?;
    let mut hash = Sha256::new();
    for (name, text) in FILES.iter().chain(&[("Cargo.toml", WORKSPACE)]) {
        hash.update((name.len() as u64).to_le_bytes());
        hash.update(name);
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    }
    let hash = format!("{:x}", hash.finalize());
    Some(cache.join(format!("sdk-{}-{}", env!("CARGO_PKG_VERSION"), &hash[..HASH_DIGITS])))
}

/// Writes what is missing or differs. Each file appears whole, for another process may be compiling it.
fn write(folder: &Path) -> Result<(), Problem> {
    let workspace = workspace()?;
    for (name, text) in FILES.iter().copied().chain([("Cargo.toml", workspace.as_str())]) {
        let file = folder.join(name);
        if std::fs::read(&file).is_ok_and(|there| there == text.as_bytes()) {
            continue;
        }
        let part = file.with_extension(format!("part{}", std::process::id()));
        std::fs::create_dir_all(file.parent().unwrap_or(folder))
            .and_then(|()| std::fs::write(&part, text))
            .and_then(|()| std::fs::rename(&part, &file))
            .map_err(|error| {
                let file = file.display();
                Problem::Failed(format!(
                    "cannot unpack the SDK to {file}: {error}; set WASMILL_CACHE, or give --sdk PATH"
                ))
            })?;
    }
    Ok(())
}

/// The manifest of the unpacked workspace: what the two crates inherit from the repository's, and no more.
fn workspace() -> Result<String, Problem> {
    let wrong =
        |error: String| Problem::Failed(format!("the SDK in this binary is damaged: {error}; build Wasmill again"));
    let parse = |text: &str| text.parse::<Table>().map_err(|error| wrong(error.to_string()));
    let mut inherited = BTreeSet::new();
    for (_, text) in FILES.iter().filter(|(name, _)| name.ends_with("Cargo.toml")) {
        collect_inherited(&parse(text)?, &mut inherited);
    }
    let mut manifest = parse(WORKSPACE)?;
    let Some(Value::Table(mut workspace)) = manifest.remove("workspace") else {
        return Err(wrong("its manifest has no workspace".to_owned()));
    };
    workspace.remove("default-members");
    workspace.insert("members".to_owned(), MEMBERS.map(Value::from).to_vec().into());
    if let Some(Value::Table(dependencies)) = workspace.get_mut("dependencies") {
        dependencies.retain(|name, _| inherited.contains(name));
    }
    let manifest = Table::from_iter([("workspace".to_owned(), Value::Table(workspace))]);
    toml::to_string(&manifest).map_err(|error| wrong(error.to_string()))
}

/// Names of dependencies that say `workspace = true`, those of single targets too.
fn collect_inherited(manifest: &Table, names: &mut BTreeSet<String>) {
    for (key, value) in manifest {
        let Value::Table(table) = value else { continue };
        if key.ends_with("dependencies") {
            let inherits = |value: &Value| value.get("workspace").and_then(Value::as_bool) == Some(true);
            names.extend(table.iter().filter(|(_, value)| inherits(value)).map(|(name, _)| name.clone()));
        } else {
            collect_inherited(table, names);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unpacked_workspace_has_what_its_crates_inherit_and_nothing_of_the_host() {
        let workspace: Table = workspace().unwrap().parse().unwrap();
        let dependencies = workspace["workspace"]["dependencies"].as_table().unwrap();
        for name in ["serde", "serde_json", "wasmill-sdk-macros", "wit-bindgen"] {
            assert!(dependencies.contains_key(name), "{name}");
        }
        assert!(!dependencies.keys().any(|name| ["wasmill-core", "wasmtime", "rdkafka"].contains(&name.as_str())));
        assert!(FILES.iter().any(|(name, _)| *name == "wit/v0.1/worlds.wit"));
        assert!(!FILES.iter().any(|(name, _)| name.contains("/tests/")));
    }
}
