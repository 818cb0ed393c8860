//! `wasmill plugin new`: a crate to start from.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::foreign::{self, Kind, Language};
use super::{Problem, sdk};
use crate::cli::print;

const MANIFEST: &str = include_str!("../../../../plugins/template/Cargo.toml.in");
const CARGO_CONFIG: &str = include_str!("../../../../plugins/template/cargo-config.toml");
const AGGREGATOR: &str = include_str!("../../../../plugins/template/aggregator.rs");
const TRANSFORMER: &str = include_str!("../../../../plugins/template/transformer.rs");
/// Of a crate: the file that is its author's.
const RUST: &str = "src/lib.rs";
const IGNORED: &str = "/target/\n*.wasm\n";

/// Names that cargo refuses for a package or a library, and those of the crates that a plugin stands on.
const TAKEN: [&str; 62] = [
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "const",
    "continue",
    "core",
    "crate",
    "do",
    "dyn",
    "else",
    "enum",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "proc-macro",
    "proc_macro",
    "pub",
    "ref",
    "return",
    "self",
    "serde",
    "serde_json",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "unsafe",
    "unsized",
    "use",
    "virtual",
    "wasmill-sdk",
    "wasmill_sdk",
    "where",
    "while",
    "yield",
    "_",
];

/// Start a plugin of your own: a crate with a plugin that works, and its tests
///
/// In another language (`--lang`) it is a folder with a `plugin.toml` and one file. It stands on the SDK that travels with this binary, unpacked once into the folder for caches ($WASMILL_CACHE, or wasmill in
/// $XDG_CACHE_HOME or ~/.cache).
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  wasmill plugin new revenue                  An aggregator: rows of a key in a window become points
  wasmill plugin new add-tax --transformer    Rows become rows: parse, clean, enrich, filter, split
  wasmill plugin new revenue --lang python    In another language than Rust
  wasmill plugin new plugins/revenue          In a folder of its own")]
pub struct Args {
    /// The crate's name, with or without the folder that it goes into
    #[arg(value_name = "NAME")]
    name: PathBuf,
    /// A plugin that folds the rows of a key in a window (the default)
    #[arg(long, conflicts_with = "transformer")]
    aggregator: bool,
    /// A plugin that turns a row into 0, 1 or many
    #[arg(long)]
    transformer: bool,
    /// The language that it is written in
    #[arg(long, value_name = "LANGUAGE", value_enum, default_value = "rust")]
    lang: Language,
    /// Stand on this copy of the SDK's crate instead (plugins/sdk of the repository)
    #[arg(long, value_name = "DIR")]
    sdk: Option<PathBuf>,
}

pub fn run(args: &Args) -> Result<ExitCode, Problem> {
    let name = name(&args.name)?;
    let occupied = std::fs::read_dir(&args.name).is_ok_and(|mut files| files.next().is_some()) || args.name.is_file();
    if occupied {
        let folder = args.name.display();
        return Err(Problem::Misused(format!("{folder} is there already: choose another name, or remove it")));
    }
    if args.lang != Language::Rust {
        return foreign(args, name);
    }
    let sdk = match &args.sdk {
        Some(folder) => own_sdk(folder)?,
        None => sdk::unpack()?,
    };
    let source = if args.transformer { TRANSFORMER } else { AGGREGATOR };
    write(&args.name, &manifest(name, &sdk), source)?;
    let steps = if args.transformer { transformer_steps(name, RUST) } else { aggregator_steps(name) };
    Ok(print(&next(&args.name, name, RUST, &steps)))
}

/// A plugin in another language.
fn foreign(args: &Args, name: &str) -> Result<ExitCode, Problem> {
    if args.sdk.is_some() {
        return Err(Problem::Misused(
            "--sdk is for plugins in Rust: the others are built with the SDK in this binary".to_owned(),
        ));
    }
    let kind = if args.transformer { Kind::Transformer } else { Kind::Aggregator };
    let source = foreign::new(&args.name, name, args.lang, kind)?;
    let steps = if args.transformer { transformer_steps(name, source) } else { aggregator_steps(name) };
    Ok(print(&next(&args.name, name, source, &steps)))
}

/// The last part of the path, if it can name a package and its file.
fn name(path: &Path) -> Result<&str, Problem> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if !plain || !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return Err(Problem::Misused(format!(
            "`{}` does not end in a name for a plugin: use ASCII letters, digits, - and _, a letter first",
            path.display()
        )));
    }
    if TAKEN.contains(&name) {
        return Err(Problem::Misused(format!(
            "Rust keeps the name `{name}` for itself: choose another, such as `my-{name}`"
        )));
    }
    Ok(name)
}

fn own_sdk(folder: &Path) -> Result<PathBuf, Problem> {
    let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap_or_default();
    let named =
        |manifest: toml::Table| manifest.get("package")?.get("name")?.as_str().map(|name| name == "wasmill-sdk");
    match (manifest.parse().ok().and_then(named), folder.canonicalize()) {
        (Some(true), Ok(folder)) => Ok(folder),
        _ => {
            let folder = folder.display();
            Err(Problem::Misused(format!(
                "--sdk {folder} is not the SDK's crate: name the folder plugins/sdk of a copy of Wasmill"
            )))
        }
    }
}

fn manifest(name: &str, sdk: &Path) -> String {
    let path = toml::Value::from(sdk.display().to_string());
    MANIFEST.replace("{{name}}", name).replace("{{sdk}}", &format!("{{ path = {path} }}"))
}

fn write(folder: &Path, manifest: &str, source: &str) -> Result<(), Problem> {
    let files = [
        ("Cargo.toml", manifest),
        ("src/lib.rs", source),
        (".cargo/config.toml", CARGO_CONFIG),
        (".gitignore", IGNORED),
    ];
    for (name, text) in files {
        let file = folder.join(name);
        std::fs::create_dir_all(file.parent().unwrap_or(folder))
            .and_then(|()| std::fs::write(&file, text))
            .map_err(|error| Problem::Failed(format!("cannot write {}: {error}", file.display())))?;
    }
    Ok(())
}

fn aggregator_steps(name: &str) -> String {
    format!(
        "[routes.{name}]
from = \"events\"                       # one of your sources
key = [\"data.currency\"]               # what the plugin keeps apart; becomes tags
aggregate = \"{name}\"
window = {{ tumbling = \"1m\" }}
to = [\"charts\"]                       # one of your sinks
"
    )
}

fn transformer_steps(name: &str, source: &str) -> String {
    format!(
        "config = {{ tax = 0.19 }}             # what {source} reads

[routes.orders]
from = \"events\"                       # one of your sources
transform = [\"{name}\"]
"
    )
}

fn next(folder: &Path, name: &str, source: &str, steps: &str) -> String {
    let shown = folder.display();
    let file = format!("{}.wasm", name.replace('-', "_"));
    let steps = format!(
        "[plugins.{name}]\npath = \"{shown}/{file}\"\n{}{steps}",
        if steps.starts_with('[') { "\n" } else { "" }
    );
    let indented: String =
        steps.lines().map(|line| if line.is_empty() { "\n".to_owned() } else { format!("    {line}\n") }).collect();
    format!(
        "{shown} holds a plugin that works; {source} is where yours goes. Next:

    wasmill plugin test {shown}     # its own tests, then a call in the host
    wasmill plugin build {shown}    # makes {shown}/{file}

and in the pipeline (paths start at its file):

{indented}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_cargo_would_refuse_are_refused_first() {
        for bad in ["", "..", "9lives", "a b", "a.b", "ünïcode", "fn", "test", "wasmill-sdk", "-a"] {
            assert!(matches!(name(Path::new(bad)), Err(Problem::Misused(_))), "{bad:?}");
        }
        assert_eq!(name(Path::new("plugins/add-tax")).unwrap(), "add-tax");
        assert_eq!(name(Path::new("revenue/")).unwrap(), "revenue");
    }

    #[test]
    fn the_manifest_is_toml_whatever_the_path_holds() {
        let text = manifest("p", Path::new(r#"/tmp/a "quoted" \ path"#));
        let table: toml::Table = text.parse().unwrap();
        assert_eq!(table["dependencies"]["wasmill-sdk"]["path"].as_str(), Some(r#"/tmp/a "quoted" \ path"#));
    }
}
