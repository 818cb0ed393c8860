//! What of WASI is there by name, what wants a grant, and what nobody has.

use serde::Serialize;

/// What `grants = [..]` gives a plugin beyond log and metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    /// Read the clock.
    pub clock: bool,
    /// Randomness that differs between instances and runs.
    pub random: bool,
}

/// A grant that a plugin may turn out to need, by what it imports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Need {
    pub grant: &'static str,
    /// Without its version.
    pub import: &'static str,
    /// What is there without the grant.
    pub without: &'static str,
}

const NEEDS: [Need; 3] = [
    Need { grant: "clock", import: "wasi:clocks/wall-clock", without: "reading the time of day fails the call" },
    Need { grant: "clock", import: "wasi:clocks/monotonic-clock", without: "the clock stands still" },
    Need { grant: "random", import: "wasi:random/random", without: "every instance draws the same numbers" },
];

/// What an import is to the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offer<'a> {
    /// Not WASI.
    Other,
    /// Stubbed: the interface, without its version.
    Wasi(&'a str),
    /// Of a version whose calls may wait.
    OtherVersion,
    Http,
    /// Core modules import this; components never do.
    Preview1,
    Unknown,
}

const PACKAGES: [&str; 6] = ["wasi:cli", "wasi:io", "wasi:clocks", "wasi:random", "wasi:filesystem", "wasi:sockets"];

pub(crate) fn judge(import: &str) -> Offer<'_> {
    if import.starts_with("wasi_") {
        return Offer::Preview1;
    }
    let Some((package, _)) = import.split_once('/').filter(|(package, _)| package.starts_with("wasi:")) else {
        return if import.starts_with("wasi:") { Offer::Unknown } else { Offer::Other };
    };
    if package == "wasi:http" {
        return Offer::Http;
    }
    match import.split_once('@') {
        Some((interface, version)) if PACKAGES.contains(&package) => match version.strip_prefix("0.2.") {
            Some(patch) if patch.bytes().all(|b| b.is_ascii_digit()) => Offer::Wasi(interface),
            _ => Offer::OtherVersion,
        },
        _ => Offer::Unknown,
    }
}

/// Grants that the imports hint at.
pub(crate) fn needs(imports: &[String]) -> Vec<Need> {
    let imported = |need: &Need| imports.iter().any(|import| judge(import) == Offer::Wasi(need.import));
    NEEDS.into_iter().filter(imported).collect()
}

/// Why a function is not there.
pub(super) fn absent(interface: &str) -> &'static str {
    match interface.split_once('/').map(|(package, _)| package) {
        Some("wasi:filesystem") => "a plugin has no files, and there is no grant for them",
        Some("wasi:sockets") => "a plugin has no network, and there is no grant for it",
        _ => "Wasmill does not offer it, and there is no grant for it",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_import_is_depends_on_its_package_and_version() {
        assert_eq!(judge("wasi:io/streams@0.2.12"), Offer::Wasi("wasi:io/streams"));
        assert_eq!(judge("wasi:io/streams@0.3.0"), Offer::OtherVersion);
        assert_eq!(judge("wasi:io/streams@0.2.0-rc"), Offer::OtherVersion);
        assert_eq!(judge("wasi:http/types@0.2.0"), Offer::Http);
        assert_eq!(judge("wasi:nn/graph@0.2.0"), Offer::Unknown);
        assert_eq!(judge("wasi:io"), Offer::Unknown);
        assert_eq!(judge("wasi_snapshot_preview1"), Offer::Preview1);
        assert_eq!(judge("wasmill:plugin/log@0.1.0"), Offer::Other);
    }
}
