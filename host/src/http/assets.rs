//! The page's files, inside the binary.

use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use super::problem::Problem;

struct Asset {
    path: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
}

macro_rules! assets {
    ($($path:literal: $kind:expr),* $(,)?) => {
        &[$(Asset { path: $path, kind: $kind, bytes: include_bytes!(concat!("../../web/", $path)) }),*]
    };
}

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";
const TEXT: &str = "text/plain; charset=utf-8";

const ASSETS: &[Asset] = assets! {
    "index.html": HTML,
    "mark.svg": SVG,
    "style.css": CSS,
    "js/api.js": SCRIPT,
    "js/change.js": SCRIPT,
    "js/chart.js": SCRIPT,
    "js/charts.js": SCRIPT,
    "js/dom.js": SCRIPT,
    "js/flow.js": SCRIPT,
    "js/format.js": SCRIPT,
    "js/head.js": SCRIPT,
    "js/main.js": SCRIPT,
    "js/panels.js": SCRIPT,
    "js/plot.js": SCRIPT,
    "js/releases.js": SCRIPT,
    "js/reloads.js": SCRIPT,
    "js/series.js": SCRIPT,
    "js/spark.js": SCRIPT,
    "js/stream.js": SCRIPT,
    "js/table.js": SCRIPT,
    "js/theme.js": SCRIPT,
    "vendor/uPlot.esm.js": SCRIPT,
    "vendor/uPlot.min.css": CSS,
    "vendor/uPlot.LICENSE.txt": TEXT,
};

/// `/`.
pub async fn index(headers: HeaderMap) -> Response {
    answer("index.html", &headers)
}

/// `/web/…`.
pub async fn file(Path(path): Path<String>, headers: HeaderMap) -> Response {
    answer(&path, &headers)
}

fn answer(path: &str, headers: &HeaderMap) -> Response {
    let Some(asset) = ASSETS.iter().find(|a| a.path == path) else {
        return Problem::new(StatusCode::NOT_FOUND, "No such file", "the page has no file of this name")
            .into_response();
    };
    let digest: [u8; 32] = Sha256::digest(asset.bytes).into();
    let tag = format!("\"{}\"", digest.iter().take(8).map(|b| format!("{b:02x}")).collect::<String>());
    // Asked for again each time, so that a new binary's page is never mixed with an old one's modules.
    let common = [(header::ETAG, tag.clone()), (header::CACHE_CONTROL, "no-cache".into())];
    if headers.get(header::IF_NONE_MATCH).is_some_and(|given| given.as_bytes() == tag.as_bytes()) {
        return (StatusCode::NOT_MODIFIED, common).into_response();
    }
    (common, [(header::CONTENT_TYPE, asset.kind)], asset.bytes).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::Path;

    fn files(folder: &Path, root: &Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                files(&path, root, found);
            } else {
                found.insert(path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/"));
            }
        }
    }

    #[test]
    fn every_file_of_the_page_is_embedded() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("web");
        let mut there = BTreeSet::new();
        files(&root, &root, &mut there);
        let embedded: BTreeSet<String> = ASSETS.iter().map(|a| a.path.to_owned()).collect();
        assert_eq!(there, embedded);
    }
}
