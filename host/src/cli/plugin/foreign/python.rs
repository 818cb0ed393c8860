//! Python, by componentize-py: CPython itself travels in the file.

use std::path::Path;
use std::process::Command;

use super::{Foreign, Kind, cached, run, tool, write};
use crate::cli::plugin::Problem;

const TOOL: &str = "componentize-py";
const VERSION: &str = "0.25.1";

pub(super) fn build(plugin: &Foreign, sdk: &Path, build: &Path, out: &Path) -> Result<(), Problem> {
    let manifest = &plugin.manifest;
    let exports = match manifest.world {
        Kind::Transformer => "Transform",
        Kind::Aggregator => "Aggregate, State",
    };
    let module = plugin.module();
    let (name, version, doc) = (&manifest.name, &manifest.version, &manifest.doc);
    // Rust's escapes are Python's, but for those of characters that neither prints.
    let entry = format!(
        "import {module}\nfrom wasmill import glue\nfrom wasmill.glue import {exports}\n\nglue.install({module}, {name:?}, {version:?}, {doc:?})\n"
    );
    write(&build.join("wasmill_entry.py"), &entry)?;
    let mut command = Command::new(tool(TOOL, "python/bin"));
    command.current_dir(build).arg("-d").arg(sdk.join("wit/v0.1")).args(["-w", manifest.world.world()]);
    command.args(["componentize", "wasmill_entry", "-o"]).arg(out);
    for path in [build, &plugin.folder, &sdk.join("plugins/sdk-python")] {
        command.arg("-p").arg(path);
    }
    let venv = cached("python");
    run(&mut command, &format!("python3 -m venv {venv} && {venv}/bin/pip install {TOOL}=={VERSION}"))
}
