//! `wasmill plugin build`: from a crate to a file that a pipeline can name.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::json;
use wasmill_wasm::Engine;

use super::artefact::Artefact;
use super::cargo::Crate;
use super::foreign::Foreign;
use super::{Problem, engine, sdk, size};
use crate::cli::print;

/// Build plugins for WebAssembly, and check them as the host would
///
/// A folder is a Rust crate, which is compiled by cargo (profile `plugin` where its workspace has one, otherwise `release`), or has a
/// `plugin.toml` that names another language, whose own tools then build it. The file is held against the contract, and written to
/// NAME.wasm.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  wasmill plugin build                    The crate in this folder, to ./NAME.wasm
  wasmill plugin build plugins/*/ --out plugins
  wasmill plugin build --json revenue     Name, file, size and sha256, for programs")]
pub struct Args {
    /// Folders of plugins
    #[arg(value_name = "DIR", default_value = ".")]
    folders: Vec<PathBuf>,
    /// Where the files go; otherwise each into its crate's folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print what was built as JSON to standard output
    #[arg(long)]
    json: bool,
}

/// Every folder is tried; the exit code is that of the first that failed.
pub fn run(args: &Args) -> Result<ExitCode, Problem> {
    let engine = engine()?;
    let mut built = Vec::new();
    let mut failed = None;
    for folder in &args.folders {
        match build(&engine, folder, args.out.as_deref()) {
            Ok(artefact) => {
                if !args.json {
                    print(&for_people(&artefact));
                }
                built.push(json!(artefact));
            }
            Err(problem) => {
                eprintln!("error: {problem}");
                built.push(json!({ "folder": folder, "error": problem.to_string() }));
                failed.get_or_insert(problem.code());
            }
        }
    }
    if args.json {
        print(&format!("{:#}\n", json!(built)));
    }
    Ok(failed.unwrap_or(ExitCode::SUCCESS))
}

fn build(engine: &Engine, folder: &Path, out: Option<&Path>) -> Result<Artefact, Problem> {
    let out = out.unwrap_or(folder);
    if let Some(plugin) = Foreign::find(folder)? {
        return Artefact::place(engine, &plugin.name(), &plugin.build()?, out);
    }
    sdk::restore(folder)?;
    let plugin = Crate::find(folder)?;
    let file = plugin.build()?;
    Artefact::place(engine, &plugin.library, &file, out)
}

fn for_people(artefact: &Artefact) -> String {
    let Artefact { world, file, bytes, sha256, .. } = artefact;
    format!("{}  {world}, {}, sha256 {sha256}\n", file.display(), size(*bytes))
}
