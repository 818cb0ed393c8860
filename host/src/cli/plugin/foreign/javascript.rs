//! JavaScript, by componentize-qjs: QuickJS travels in the file.

use std::path::Path;
use std::process::Command;

use super::{Foreign, cached, cannot, run, tool, write};
use crate::cli::plugin::Problem;

const TOOL: &str = "componentize-qjs";
const VERSION: &str = "0.4.5";

pub(super) fn build(plugin: &Foreign, sdk: &Path, build: &Path, out: &Path) -> Result<(), Problem> {
    let manifest = &plugin.manifest;
    let copy = |from: &Path, to: &Path| std::fs::copy(from, to).map(drop).map_err(|error| cannot("copy", from, &error));
    // Modules are found beside the one that imports them.
    copy(&sdk.join("plugins/sdk-js/wasmill.js"), &build.join("wasmill.js"))?;
    let files = std::fs::read_dir(&plugin.folder).map_err(|error| cannot("read", &plugin.folder, &error))?;
    for file in files.flatten().map(|entry| entry.path()) {
        if let (Some(name), Some("js")) = (file.file_name(), file.extension().and_then(|ending| ending.to_str())) {
            copy(&file, &build.join(name))?;
        }
    }
    let world = manifest.world.world();
    let exports = match manifest.world {
        super::Kind::Transformer => "transform",
        super::Kind::Aggregator => "aggregate, state",
    };
    let about = serde_json::json!({ "name": manifest.name, "version": manifest.version, "doc": manifest.doc });
    let entry = format!(
        "import plugin from \"./{}\";\nimport {{ {world} }} from \"./wasmill.js\";\n\nexport const {{ {exports} }} = {world}(plugin, {about});\n",
        manifest.source
    );
    let file = build.join("wasmill_entry.js");
    write(&file, &entry)?;
    let mut command = Command::new(tool(TOOL, "js/node_modules/.bin"));
    command.current_dir(build).arg("--sync").arg("--wit").arg(sdk.join("wit/v0.1")).args(["--world", world]);
    command.arg("--module-root").arg(build).arg("--js").arg(&file).arg("-o").arg(out);
    run(&mut command, &format!("npm install --prefix {} {TOOL}@{VERSION}", cached("js")))
}
