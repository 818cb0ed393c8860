//! Asks cargo: which crate a folder holds, and where its plugin went.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use super::Problem;

pub const TARGET: &str = "wasm32-unknown-unknown";
/// A workspace that has it means it for its plugins.
const PLUGIN_PROFILE: &str = "plugin";

/// A plugin's crate, as cargo describes it.
#[derive(Debug)]
pub struct Crate {
    /// Canonical, with `Cargo.toml` in it.
    pub folder: PathBuf,
    /// Of the library, which names the file: `my_plugin`.
    pub library: String,
    /// Cargo's name for exactly this package.
    id: String,
    profile: &'static str,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_root: PathBuf,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    manifest_path: PathBuf,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    crate_types: Vec<String>,
}

/// One line of cargo's `--message-format=json`; other lines have other reasons.
#[derive(Deserialize)]
struct Message {
    reason: String,
    #[serde(default)]
    package_id: String,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

impl Crate {
    /// # Errors
    /// The folder holds no crate, the crate makes no plugin, or cargo cannot read it.
    pub fn find(folder: &Path) -> Result<Self, Problem> {
        let shown = folder.display();
        let manifest = folder.join("Cargo.toml").canonicalize().map_err(|error| {
            Problem::Misused(format!(
                "{shown} holds no plugin: cannot read its Cargo.toml: {error}; name the folder of a plugin's crate, or make \
                 one with `wasmill plugin new NAME`"
            ))
        })?;
        let folder = manifest.parent().unwrap_or(Path::new(".")).to_owned();
        let metadata = metadata(&folder)?;
        let Some(package) = metadata.packages.into_iter().find(|package| package.manifest_path == manifest) else {
            return Err(Problem::Misused(format!(
                "{shown} is a workspace, not a plugin: name the folders of its plugins"
            )));
        };
        let Package { id, name, targets, .. } = package;
        let plugin = targets.into_iter().find(|target| target.crate_types.iter().any(|kind| kind == "cdylib"));
        let Some(plugin) = plugin else {
            return Err(Problem::Misused(format!(
                "the crate {name} in {shown} makes no plugin: put `crate-type = [\"cdylib\", \"rlib\"]` under [lib] of its Cargo.toml"
            )));
        };
        let profile = profile(&metadata.workspace_root);
        // Cargo writes files with underscores, whatever the library is called.
        Ok(Crate { folder, library: plugin.name.replace('-', "_"), id, profile })
    }

    /// Compiles the plugin and returns the file. Cargo's own words go to standard error.
    ///
    /// # Errors
    /// The target for WebAssembly is not installed, or the crate does not compile.
    pub fn build(&self) -> Result<PathBuf, Problem> {
        require_target(&self.folder)?;
        let mut command = cargo(&self.folder);
        command.args(["build", "--lib", "--target", TARGET, "--profile", self.profile]);
        command.arg("--message-format=json-render-diagnostics").stderr(Stdio::inherit());
        let output = command.output().map_err(cannot_run)?;
        if !output.status.success() {
            return Err(Problem::Failed(format!(
                "the plugin in {} does not compile; cargo's own words are above",
                self.folder.display()
            )));
        }
        let messages = String::from_utf8_lossy(&output.stdout);
        messages
            .lines()
            .filter_map(|line| serde_json::from_str::<Message>(line).ok())
            .filter(|message| message.reason == "compiler-artifact" && message.package_id == self.id)
            .flat_map(|message| message.filenames)
            .find(|file| file.extension().is_some_and(|ending| ending == "wasm"))
            .ok_or_else(|| Problem::Failed(format!("cargo built {} and named no .wasm file", self.folder.display())))
    }

    /// Runs the crate's own tests natively; all output goes through.
    ///
    /// # Errors
    /// A test fails or does not compile.
    pub fn test(&self) -> Result<(), Problem> {
        let status = cargo(&self.folder).arg("test").status().map_err(cannot_run)?;
        match status.success() {
            true => Ok(()),
            false => Err(Problem::Failed(format!("the tests in {} fail; see above", self.folder.display()))),
        }
    }
}

/// In the crate's folder, where its own `.cargo/config.toml` and toolchain count.
fn cargo(folder: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(folder);
    command
}

fn cannot_run(error: std::io::Error) -> Problem {
    Problem::Failed(format!("cannot run cargo: {error}; install Rust from https://rustup.rs"))
}

fn metadata(folder: &Path) -> Result<Metadata, Problem> {
    let output = cargo(folder).args(["metadata", "--format-version=1", "--no-deps"]).output().map_err(cannot_run)?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr);
        return Err(Problem::Misused(format!("cargo cannot read {}/Cargo.toml: {}", folder.display(), message.trim())));
    }
    serde_json::from_slice(&output.stdout)
        .map_err(|error| Problem::Failed(format!("cannot read what cargo says of {}: {error}", folder.display())))
}

fn profile(workspace: &Path) -> &'static str {
    let manifest = std::fs::read_to_string(workspace.join("Cargo.toml")).unwrap_or_default();
    let defined = |manifest: toml::Table| manifest.get("profile")?.get(PLUGIN_PROFILE).map(|_| ());
    match manifest.parse().ok().and_then(defined) {
        Some(()) => PLUGIN_PROFILE,
        None => "release",
    }
}

fn require_target(folder: &Path) -> Result<(), Problem> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output =
        Command::new(rustc).current_dir(folder).args(["--print", "target-libdir", "--target", TARGET]).output();
    let output = output
        .map_err(|error| Problem::Failed(format!("cannot run rustc: {error}; install Rust from https://rustup.rs")))?;
    let libraries = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    match output.status.success() && Path::new(&libraries).is_dir() {
        true => Ok(()),
        false => Err(Problem::Failed(format!(
            "the Rust target for plugins is missing; install it with: rustup target add {TARGET}"
        ))),
    }
}
