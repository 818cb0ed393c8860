//! The releases of a pipeline's plugins on disk: every one that ran, what ran when, and which one was chosen over the file that the
//! configuration names.
//!
//! ```text
//! .wasmill/releases/SHA256.wasm    the bytes
//! .wasmill/history.jsonl           a line for each change of a plugin's release, the newest last
//! .wasmill/chosen.json             plugin → release: taken back or sent by the API, so not what lies at the plugin's path
//! ```

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Releases that are kept; the oldest go first. At 0.1-40 MiB each.
const MAX_RELEASES: usize = 64;
/// Lines of history that are read.
const MAX_HISTORY: usize = 10_000;

/// One change of a plugin's release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// RFC 3339.
    pub at: String,
    pub plugin: String,
    /// 64 hex digits.
    pub release: String,
    /// What ran before; `None`: nothing that is known.
    pub previous: Option<String>,
    /// Who or what asked for it.
    pub trigger: String,
    /// `topic [partition]` → the first offset that the release handled.
    pub offsets: BTreeMap<String, i64>,
}

/// A release that runs in place of the file at the plugin's path, as long as that stays the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    pub release: String,
    /// The sha256 of the file when the choice was made: a file that is written later is what its author wants.
    pub file: String,
}

/// By plugin.
pub type Choices = BTreeMap<String, Choice>;

/// A folder of releases.
#[derive(Clone, Debug)]
pub struct Store {
    folder: PathBuf,
}

impl Store {
    /// The folder is made when there is something to keep.
    pub fn new(folder: PathBuf) -> Self {
        Store { folder }
    }

    /// Keeps a release; what is there already is left alone.
    ///
    /// # Errors
    /// The disk.
    pub fn keep(&self, sha256: &str, bytes: &[u8]) -> std::io::Result<()> {
        let path = self.path(sha256);
        if path.exists() {
            return Ok(());
        }
        fs::create_dir_all(self.folder.join("releases"))?;
        write_whole(&path, bytes)?;
        self.make_room(sha256)
    }

    /// The bytes of a release; `None` if it is not kept any more, or is not what it was.
    pub fn read(&self, sha256: &str) -> Option<Vec<u8>> {
        let bytes = fs::read(self.path(sha256)).ok()?;
        if format!("{:x}", Sha256::digest(&bytes)) != sha256 {
            tracing::warn!(path = %self.path(sha256).display(), "a kept release is damaged; it is not used");
            return None;
        }
        Some(bytes)
    }

    /// The newest last.
    pub fn history(&self) -> Vec<Entry> {
        let text = fs::read_to_string(self.folder.join("history.jsonl")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        // A line that a crash cut off is no entry.
        lines[lines.len().saturating_sub(MAX_HISTORY)..].iter().filter_map(|l| serde_json::from_str(l).ok()).collect()
    }

    /// Adds to the history.
    ///
    /// # Errors
    /// The disk.
    pub fn note(&self, entries: &[Entry]) -> std::io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let mut file = fs::OpenOptions::new().create(true).append(true).open(self.folder.join("history.jsonl"))?;
        for entry in entries {
            let line = serde_json::to_string(entry)?;
            // One write a line: a reader never sees two halves.
            file.write_all(format!("{line}\n").as_bytes())?;
        }
        file.sync_data()
    }

    /// What `plugin` ran before the release that runs now, if it is still kept.
    pub fn previous(&self, plugin: &str, now: &str) -> Option<String> {
        let history = self.history();
        let mut before = history.iter().rev().filter(|entry| entry.plugin == plugin && entry.release == now);
        before.find_map(|entry| entry.previous.clone()).filter(|release| release != now && self.path(release).exists())
    }

    /// Which releases were chosen over the files.
    pub fn choices(&self) -> Choices {
        let text = fs::read_to_string(self.folder.join("chosen.json")).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// # Errors
    /// The disk.
    pub fn choose(&self, choices: &Choices) -> std::io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        write_whole(&self.folder.join("chosen.json"), serde_json::to_string_pretty(choices)?.as_bytes())
    }

    fn path(&self, sha256: &str) -> PathBuf {
        self.folder.join("releases").join(format!("{sha256}.wasm"))
    }

    fn make_room(&self, newest: &str) -> std::io::Result<()> {
        let mut files = Vec::new();
        for entry in fs::read_dir(self.folder.join("releases"))? {
            let entry = entry?;
            files.push((entry.metadata()?.modified()?, entry.path()));
        }
        files.sort();
        let surplus = files.len().saturating_sub(MAX_RELEASES);
        let chosen: Vec<PathBuf> = self.choices().values().map(|choice| self.path(&choice.release)).collect();
        let old =
            files.iter().map(|(_, path)| path).filter(|path| **path != self.path(newest) && !chosen.contains(path));
        old.take(surplus).try_for_each(fs::remove_file)
    }
}

/// Complete before it has its name: after a crash there is the old file or the new one.
fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let unfinished = path.with_extension(format!("{}.tmp", std::process::id()));
    let mut file = fs::File::create(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_data()?;
    fs::rename(&unfinished, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(plugin: &str, release: &str, previous: Option<&str>) -> Entry {
        let (plugin, release, previous) = (plugin.to_owned(), release.to_owned(), previous.map(str::to_owned));
        Entry { at: String::new(), plugin, release, previous, trigger: String::new(), offsets: BTreeMap::new() }
    }

    #[test]
    fn a_release_comes_back_as_it_was_kept_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path().to_owned());
        let sha256 = format!("{:x}", Sha256::digest(b"one"));
        store.keep(&sha256, b"one").unwrap();
        assert_eq!(store.read(&sha256).as_deref(), Some(&b"one"[..]));
        fs::write(store.path(&sha256), b"two").unwrap();
        assert_eq!(store.read(&sha256), None);
    }

    #[test]
    fn what_ran_before_is_the_last_other_release_of_that_plugin_that_is_still_kept() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path().to_owned());
        store.note(&[entry("p", "a", None), entry("q", "x", None), entry("p", "b", Some("a"))]).unwrap();
        fs::OpenOptions::new()
            .append(true)
            .open(folder.path().join("history.jsonl"))
            .unwrap()
            .write_all(b"{\"at\"")
            .unwrap();
        assert_eq!(store.previous("p", "b"), None, "its bytes are gone");
        store.keep("a", b"bytes").unwrap();
        assert_eq!(store.previous("p", "b").as_deref(), Some("a"));
        assert_eq!(store.previous("p", "a"), None);
        assert_eq!(store.previous("q", "x"), None);
    }
}
