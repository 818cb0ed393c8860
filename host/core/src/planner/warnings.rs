//! What is right but hardly meant.

use std::collections::BTreeSet;

use crate::config::{Config, Diagnostic, Route, split_from};

/// Parts that nothing uses.
pub fn warnings(config: &Config) -> Vec<Diagnostic> {
    let read: BTreeSet<&str> = config.routes.iter().map(|route| split_from(&route.from.value).0).collect();
    let used: BTreeSet<&str> = config.routes.iter().flat_map(Route::plugins).map(|name| name.value.as_str()).collect();
    let written: BTreeSet<&str> =
        config.routes.iter().flat_map(|route| &route.to).map(|to| to.sink.value.as_str()).collect();
    let mut warnings = Vec::new();
    for source in config.sources.iter().filter(|source| !read.contains(source.name.value.as_str())) {
        let message = format!("no route reads the source `{}`, so it is not consumed", source.name.value);
        let help = format!("add a route with `from = \"{}\"`, or remove the source", source.name.value);
        warnings.push(Diagnostic::warning(&source.name.span, message, "not read").help(help));
    }
    for plugin in config.plugins.iter().filter(|plugin| !used.contains(plugin.name.value.as_str())) {
        let message = format!("no route uses the plugin `{}`", plugin.name.value);
        warnings
            .push(Diagnostic::warning(&plugin.name.span, message, "not used").help("use it in a route, or remove it"));
    }
    for sink in config.sinks.iter().filter(|sink| !written.contains(sink.name.value.as_str())) {
        let message = format!("no route writes to the sink `{}`", sink.name.value);
        warnings.push(
            Diagnostic::warning(&sink.name.span, message, "not used").help("name it in a route's `to`, or remove it"),
        );
    }
    for route in config.routes.iter().filter(|route| route.to.is_empty() && !read.contains(route.name.value.as_str())) {
        let message = format!("route `{}` writes to no sink, and no route reads it", route.name.value);
        let help = "add `to = [\"…\"]`, or let another route read it";
        warnings.push(Diagnostic::warning(&route.name.span, message, "its rows go nowhere").help(help));
    }
    warnings
}
