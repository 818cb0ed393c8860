//! C, by clang and lld: no runtime, no library, a core module like Rust's.

use std::path::Path;
use std::process::Command;

use wasmill_wasm::describe;

use super::{Foreign, cannot, run};
use crate::cli::plugin::Problem;

const INSTALL: &str = "apt-get install clang lld (or your system's packages of both)";

pub(super) fn build(plugin: &Foreign, sdk: &Path, build: &Path, out: &Path) -> Result<(), Problem> {
    let manifest = &plugin.manifest;
    let sdk = sdk.join("plugins/sdk-c");
    let core = build.join("core.wasm");
    let mut command = Command::new("clang");
    command.current_dir(&plugin.folder).args(["--target=wasm32", "-std=c11", "-O2", "-nostdlib", "-ffreestanding"]);
    command.args(["-msimd128", "-mbulk-memory", "-Wall", "-Wl,--no-entry"]).arg("-I").arg(&sdk);
    for (name, value) in [("NAME", &manifest.name), ("VERSION", &manifest.version), ("DOC", &manifest.doc)] {
        command.arg(format!("-DWASMILL_{name}={}", serde_json::json!(value)));
    }
    command.arg(format!("-DWASMILL_{}", manifest.world.world().to_uppercase()));
    command.arg(&manifest.source).arg(sdk.join("wasmill.c")).arg("-o").arg(&core);
    run(&mut command, INSTALL)?;
    let module = std::fs::read(&core).map_err(|error| cannot("read", &core, &error))?;
    let described = describe(&module, manifest.world.world()).map_err(|error| Problem::Failed(error.to_string()))?;
    std::fs::write(out, described).map_err(|error| cannot("write", out, &error))
}
