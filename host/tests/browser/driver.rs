//! Starts `page.mjs`, which looks at the page in a real browser.

use std::path::Path;
use std::process::Command;

pub const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/browser");

/// Looks at the page at `url`; what else it should look for are the command's further arguments. The browser's driver is fetched
/// once, as the lock file says.
pub fn page(url: &str) -> Command {
    if !Path::new(FOLDER).join("node_modules/playwright-core").exists() {
        let npm = Command::new("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(FOLDER).status();
        assert!(npm.expect("npm is missing: install Node 20 or later").success(), "npm ci failed in {FOLDER}");
    }
    let mut node = Command::new("node");
    node.arg(format!("{FOLDER}/page.mjs")).arg(url);
    if let Ok(folder) = std::env::var("WASMILL_SCREENSHOTS") {
        node.args(["--screenshots", &folder]);
    }
    node
}
