//! Plugins that break the contract on demand, built from the sources that the tests of `wasmill-wasm` use.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock};

/// The wasm of the guest of a world: `transformer` or `aggregator`.
pub fn wasm(world: &'static str) -> Vec<u8> {
    // One file name for both: built and read by one at a time.
    static BUILD: Mutex<()> = Mutex::new(());
    let _alone = BUILD.lock();
    let target = target_directory().join("guests");
    let output = Command::new(env!("CARGO"))
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/wasm"))
        .args(["build", "--profile", "plugin", "--target", "wasm32-unknown-unknown"])
        .args(["--package", "wasmill-test-guests", "--features", world, "--target-dir"])
        .arg(&target)
        .output()
        .unwrap();
    assert!(output.status.success(), "the guests do not build: {}", String::from_utf8_lossy(&output.stderr));
    std::fs::read(target.join("wasm32-unknown-unknown/plugin/guests.wasm")).unwrap()
}

/// A folder with `transformer.wasm` and `aggregator.wasm`, for as long as the tests run.
pub fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = target_directory().join("guests/e2e");
        std::fs::create_dir_all(&folder).unwrap();
        for world in ["transformer", "aggregator"] {
            std::fs::write(folder.join(world).with_extension("wasm"), wasm(world)).unwrap();
        }
        folder
    })
}

/// The test binary lies in `target/release/deps`.
fn target_directory() -> PathBuf {
    std::env::current_exe().unwrap().ancestors().nth(3).unwrap().to_owned()
}
