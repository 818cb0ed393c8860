//! Watches the configuration and the plugins' files. Folders are watched, not files: editors and compilers replace a file by renaming
//! another one over it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crossbeam_channel::Sender;
use notify_debouncer_mini::notify::{self, RecommendedWatcher, RecursiveMode};
use notify_debouncer_mini::{DebounceEventResult, Debouncer, new_debouncer};

use super::Request;

/// A file must be left alone for so long before it is read: compilers write in pieces.
const DEBOUNCE: Duration = Duration::from_millis(200);

/// Ends with the value.
pub struct Watch(#[allow(dead_code, reason = "it watches as long as it lives")] Debouncer<RecommendedWatcher>);

/// Asks for a reload whenever one of `files` changes.
///
/// # Errors
/// The system cannot watch, or a folder is gone.
pub fn start(files: &[PathBuf], requests: Sender<Request>) -> Result<Watch, notify::Error> {
    let full = |file: &Path| std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    let files: BTreeSet<PathBuf> = files.iter().map(|file| full(file)).collect();
    let folders: BTreeSet<PathBuf> = files.iter().filter_map(|file| file.parent().map(Path::to_owned)).collect();
    let mut debouncer = new_debouncer(DEBOUNCE, move |result: DebounceEventResult| match result {
        Ok(events) => {
            let changed: BTreeSet<String> = events
                .iter()
                .filter(|event| files.contains(&event.path))
                .filter_map(|event| event.path.file_name().map(|name| name.to_string_lossy().into_owned()))
                .collect();
            if changed.is_empty() {
                return;
            }
            let trigger = format!("file {}", changed.into_iter().collect::<Vec<_>>().join(", "));
            // A full queue holds a request that will read the files as they are then.
            let _ = requests.try_send(Request::by(trigger));
        }
        Err(error) => tracing::warn!("cannot watch the plugins' files: {error}; reload with SIGHUP"),
    })?;
    for folder in &folders {
        debouncer.watcher().watch(folder, RecursiveMode::NonRecursive)?;
    }
    Ok(Watch(debouncer))
}
