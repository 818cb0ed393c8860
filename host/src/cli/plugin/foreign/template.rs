//! `wasmill plugin new --lang ..`: a folder to start from.

use std::path::Path;

use super::{Kind, Language, cannot, write};
use crate::cli::plugin::Problem;

const IGNORED: &str = "/.build/\n__pycache__/\n*.wasm\n";

/// What a language's plugin is called, and its two templates.
struct Template {
    source: &'static str,
    transformer: &'static str,
    aggregator: &'static str,
}

const PYTHON: Template = Template {
    source: "plugin.py",
    transformer: include_str!("../../../../../plugins/template/python/transformer.py"),
    aggregator: include_str!("../../../../../plugins/template/python/aggregator.py"),
};

const JAVASCRIPT: Template = Template {
    source: "plugin.js",
    transformer: include_str!("../../../../../plugins/template/javascript/transformer.js"),
    aggregator: include_str!("../../../../../plugins/template/javascript/aggregator.js"),
};

const C: Template = Template {
    source: "plugin.c",
    transformer: include_str!("../../../../../plugins/template/c/transformer.c"),
    aggregator: include_str!("../../../../../plugins/template/c/aggregator.c"),
};

/// Writes the plugin, and returns the name of the file that is its author's.
///
/// # Errors
/// The folder cannot be written.
pub fn new(folder: &Path, name: &str, language: Language, kind: Kind) -> Result<&'static str, Problem> {
    let (template, word) = match language {
        Language::Python | Language::Rust => (PYTHON, "python"),
        Language::JavaScript => (JAVASCRIPT, "javascript"),
        Language::C => (C, "c"),
    };
    std::fs::create_dir_all(folder).map_err(|error| cannot("create", folder, &error))?;
    let manifest = format!(
        "# `wasmill plugin build` makes a plugin of this folder.\nname = \"{name}\"\nversion = \"0.1.0\"\ndoc = \"What {name} does, in one \
         line\"\nlanguage = \"{word}\"\nworld = \"{}\"\nsource = \"{}\"\n",
        kind.world(),
        template.source
    );
    write(&folder.join(super::MANIFEST), &manifest)?;
    let source = match kind {
        Kind::Transformer => template.transformer,
        Kind::Aggregator => template.aggregator,
    };
    write(&folder.join(template.source), source)?;
    write(&folder.join(".gitignore"), IGNORED)?;
    Ok(template.source)
}
