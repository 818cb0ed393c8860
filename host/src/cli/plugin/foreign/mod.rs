//! Plugins in other languages than Rust: a folder with a `plugin.toml` that says which, built by that language's own tools.

mod c;
mod javascript;
mod python;
mod template;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

pub use template::new;

use super::{Problem, sdk};
use crate::cli::pipeline::cache_folder;

const MANIFEST: &str = "plugin.toml";
/// Inside the plugin's folder: what its tools leave behind.
const BUILD: &str = ".build";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    Rust,
    Python,
    #[value(name = "javascript", alias = "js")]
    JavaScript,
    C,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Transformer,
    Aggregator,
}

impl Kind {
    fn world(self) -> &'static str {
        match self {
            Kind::Transformer => "transformer",
            Kind::Aggregator => "aggregator",
        }
    }
}

/// `plugin.toml`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    name: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    doc: String,
    language: Language,
    world: Kind,
    /// The file with the plugin.
    source: String,
}

/// A plugin's folder.
#[derive(Debug)]
pub struct Foreign {
    folder: PathBuf,
    manifest: Manifest,
}

impl Foreign {
    /// `None`: the folder has no `plugin.toml`.
    ///
    /// # Errors
    /// It has one that cannot be read.
    pub fn find(folder: &Path) -> Result<Option<Self>, Problem> {
        let file = folder.join(MANIFEST);
        if !file.is_file() {
            return Ok(None);
        }
        let wrong = |why: String| Problem::Misused(format!("{} cannot be used: {why}", file.display()));
        let text = std::fs::read_to_string(&file).map_err(|error| wrong(error.to_string()))?;
        let manifest: Manifest = toml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if manifest.name.is_empty() || !manifest.name.chars().all(plain) {
            return Err(wrong("`name` must be of ASCII letters, digits, - and _".to_owned()));
        }
        if manifest.language == Language::Rust {
            return Err(wrong("a plugin in Rust is a crate: it has a Cargo.toml instead".to_owned()));
        }
        let folder = folder.canonicalize().map_err(|error| wrong(error.to_string()))?;
        if !folder.join(&manifest.source).is_file() {
            return Err(wrong(format!(
                "`source` must name the file with the plugin, and {:?} is none",
                manifest.source
            )));
        }
        Ok(Some(Foreign { folder, manifest }))
    }

    /// Of the file that is built, without its ending.
    pub fn name(&self) -> String {
        self.manifest.name.replace('-', "_")
    }

    /// Builds the plugin and returns the file. The tools' own words go to standard error.
    ///
    /// # Errors
    /// A tool is missing, which the error says how to install, or it fails.
    pub fn build(&self) -> Result<PathBuf, Problem> {
        let sdk = sdk::unpack_all()?;
        let build = self.folder.join(BUILD);
        std::fs::create_dir_all(&build).map_err(|error| cannot("create", &build, &error))?;
        let out = build.join(format!("{}.wasm", self.name()));
        match self.manifest.language {
            Language::Python => python::build(self, &sdk, &build, &out)?,
            Language::JavaScript => javascript::build(self, &sdk, &build, &out)?,
            Language::C => c::build(self, &sdk, &build, &out)?,
            Language::Rust => {}
        }
        Ok(out)
    }

    /// Of the source, without its ending.
    fn module(&self) -> &str {
        Path::new(&self.manifest.source).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default()
    }
}

fn cannot(what: &str, path: &Path, error: &std::io::Error) -> Problem {
    Problem::Failed(format!("cannot {what} {}: {error}", path.display()))
}

fn write(file: &Path, text: &str) -> Result<(), Problem> {
    std::fs::write(file, text).map_err(|error| cannot("write", file, &error))
}

/// A tool by its name: in the cache's folder `inside`, where the advice below puts it, or on the PATH.
fn tool(name: &str, inside: &str) -> PathBuf {
    let kept = cache_folder().map(|cache| cache.join(inside).join(name)).filter(|file| file.is_file());
    kept.unwrap_or_else(|| name.into())
}

/// Runs a tool to its end. `install`: what to type if it is not there.
fn run(command: &mut Command, install: &str) -> Result<(), Problem> {
    let name = command.get_program().to_string_lossy().into_owned();
    // What they say of their progress is no result.
    let output =
        command.env("RUST_BACKTRACE", "0").stdin(Stdio::null()).output().map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Problem::Failed(format!("{name} is missing; install it with: {install}")),
            _ => Problem::Failed(format!("cannot run {name}: {error}")),
        })?;
    if output.status.success() {
        return Ok(());
    }
    eprint!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Err(Problem::Failed(format!("{name} failed; its own words are above")))
}

/// Of a language's tools, in the cache.
fn cached(folder: &str) -> String {
    cache_folder().map_or_else(|| folder.to_owned(), |cache| cache.join(folder).display().to_string())
}
