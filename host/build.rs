//! Builds the first-party plugins for WebAssembly and embeds them (`path = "builtin:NAME"`), and with them those of the example that
//! `wasmill demo` runs, and the sources of the SDK that `wasmill plugin new` unpacks.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const TARGET: &str = "wasm32-unknown-unknown";
/// The demo's example, whose plugins travel with the binary.
const DEMO: &str = "commerce";
/// What a plugin's author needs of this repository. Tests stay behind.
const SDK: [&str; 8] = [
    "plugins/sdk/Cargo.toml",
    "plugins/sdk/src",
    "plugins/sdk-macros/Cargo.toml",
    "plugins/sdk-macros/src",
    "plugins/sdk-c",
    "plugins/sdk-js/wasmill.js",
    "plugins/sdk-python/wasmill",
    "wit/v0.1",
];

fn main() -> ExitCode {
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            println!("cargo::error={}", message.replace('\n', " "));
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<(), String> {
    let manifest = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let root = manifest.parent().ok_or("the crate is not inside its workspace")?.to_owned();
    for path in ["Cargo.toml", "Cargo.lock", "plugins", "wit", "examples/commerce/plugins"] {
        println!("cargo::rerun-if-changed={}", root.join(path).display());
    }
    println!("cargo::rerun-if-changed=build.rs");
    let out = PathBuf::from(variable("OUT_DIR")?);
    let builtin = plugins(&root.join("plugins"), "wasmill")?;
    let examples = plugins(&root.join("examples").join(DEMO).join("plugins"), DEMO)?;
    require_target()?;
    let target = target_folder(&out)?;
    compile(&root, &target, builtin.iter().chain(&examples))?;
    let built = target.join(TARGET).join("plugin");
    let mut tables = String::new();
    embed(&built, &out, &builtin, "FILES", &mut tables)?;
    embed(&built, &out, &examples, "EXAMPLES", &mut tables)?;
    std::fs::write(out.join("builtin.rs"), tables)
        .map_err(|error| format!("cannot write the table of plugins: {error}"))?;
    std::fs::write(out.join("sdk.rs"), sdk(&root)?)
        .map_err(|error| format!("cannot write the table of the SDK: {error}"))
}

/// A table of the SDK's files: path in the repository, text.
fn sdk(root: &Path) -> Result<String, String> {
    let mut files = Vec::new();
    for part in SDK {
        list(&root.join(part), &mut files)?;
    }
    files.sort();
    let mut table = String::from("static FILES: &[(&str, &str)] = &[\n");
    for file in files {
        let name = file.strip_prefix(root).map_err(|error| error.to_string())?.to_string_lossy().replace('\\', "/");
        let _ = writeln!(table, "    ({name:?}, include_str!({:?})),", file.display().to_string());
    }
    let manifest = root.join("Cargo.toml").display().to_string();
    let _ = writeln!(table, "];\nstatic WORKSPACE: &str = include_str!({manifest:?});");
    Ok(table)
}

/// Every file in a folder and below, or the file itself.
fn list(path: &Path, files: &mut Vec<PathBuf>) -> Result<(), String> {
    if path.is_file() {
        files.push(path.to_owned());
        return Ok(());
    }
    let failed = |error| format!("cannot read {}: {error}", path.display());
    // What Python leaves beside its sources.
    if path.ends_with("__pycache__") {
        return Ok(());
    }
    for entry in std::fs::read_dir(path).map_err(failed)? {
        list(&entry.map_err(failed)?.path(), files)?;
    }
    Ok(())
}

fn variable(name: &str) -> Result<String, String> {
    std::env::var(name).map_err(|_| format!("{name} is not set: cargo must run this script"))
}

/// A plugin's crate, and the name of the file it becomes.
struct Guest {
    package: String,
    name: String,
}

/// Every folder in `folder` that is a plugin (the SDK's crates are not); packages are named `PREFIX-FOLDER`.
fn plugins(folder: &Path, prefix: &str) -> Result<Vec<Guest>, String> {
    let failed = |error| format!("cannot read {}: {error}", folder.display());
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let manifest = std::fs::read_to_string(entry.path().join("Cargo.toml")).unwrap_or_default();
        if manifest.contains("\"cdylib\"") {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    let guest = |name: String| Guest { package: format!("{prefix}-{}", name.replace('_', "-")), name };
    Ok(names.into_iter().map(guest).collect())
}

fn require_target() -> Result<(), String> {
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let output = Command::new(&rustc).args(["--print", "target-libdir", "--target", TARGET]).output();
    let output = output.map_err(|error| format!("cannot run {rustc}: {error}"))?;
    let folder = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if output.status.success() && std::fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_some()) {
        return Ok(());
    }
    Err(format!("the Rust target for plugins is missing; install it with: rustup target add {TARGET}"))
}

/// A folder of its own: the outer cargo holds the lock of the other while this script runs.
fn target_folder(out: &Path) -> Result<PathBuf, String> {
    // OUT_DIR is <target>/<profile>/build/<package>/out.
    let target = out.ancestors().nth(4).ok_or("OUT_DIR is not inside a target folder")?;
    Ok(target.join("wasm-plugins"))
}

fn compile<'a>(root: &Path, target: &Path, guests: impl Iterator<Item = &'a Guest>) -> Result<(), String> {
    let mut cargo = Command::new(variable("CARGO")?);
    cargo.current_dir(root).args(["build", "--profile", "plugin", "--target", TARGET, "--target-dir"]).arg(target);
    for guest in guests {
        cargo.args(["-p", &guest.package]);
    }
    // What the outer cargo says of the host's build must not reach the guests'. The jobserver is shared, so that both together
    // use as many cores as asked for.
    const OUTER: [&str; 5] = ["RUSTFLAGS", "RUSTDOCFLAGS", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER", "RUSTC_LINKER"];
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        let cargos =
            name.starts_with("CARGO_") && !matches!(&*name, "CARGO_HOME" | "CARGO_MAKEFLAGS" | "CARGO_NET_OFFLINE");
        if cargos || OUTER.contains(&&*name) {
            cargo.env_remove(&*name);
        }
    }
    let output = cargo.output().map_err(|error| format!("cannot run cargo for the built-in plugins: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    eprintln!("{}", String::from_utf8_lossy(&output.stderr));
    Err("building the built-in plugins failed; cargo's own words are above".to_owned())
}

fn embed(built: &Path, out: &Path, guests: &[Guest], table: &str, tables: &mut String) -> Result<(), String> {
    let _ = writeln!(tables, "pub static {table}: &[(&str, &[u8])] = &[");
    for Guest { name, .. } in guests {
        let file = built.join(format!("{name}.wasm"));
        let copy = out.join(format!("{name}.wasm"));
        std::fs::copy(&file, &copy).map_err(|error| format!("{} was not built: {error}", file.display()))?;
        let path = copy.display().to_string();
        let _ = writeln!(tables, "    ({name:?}, include_bytes!({path:?})),");
    }
    tables.push_str("];\n");
    Ok(())
}
