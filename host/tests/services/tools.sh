#!/usr/bin/env bash
# Tools the build and the tests need: installs what it may, and says plainly what is missing where it may not.
#
#   tools.sh rust      cargo, a C compiler and the wasm target
#   tools.sh browser   Node, npm, Chromium and the driver's package
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

say() { echo "tools: $*" >&2; }
missing() { say "$1 is missing: $2"; exit 1; }
apt() { # PACKAGE…
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
    say "installing $* (apt-get)"
    DEBIAN_FRONTEND=noninteractive apt-get update -qq >&2 || true
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@" >&2
}

rust() {
    command -v cargo >/dev/null || missing cargo "install Rust 1.95 or later, by rustup or your distribution"
    command -v cc >/dev/null || apt gcc libc6-dev || missing "a C compiler" "librdkafka, OpenSSL and SQLite are built from source (Debian: apt-get install gcc)"
    command -v make >/dev/null || apt make || missing make "librdkafka is built with it"
    command -v perl >/dev/null || apt perl || missing perl "OpenSSL's build needs it"
    local libraries
    libraries=$(rustc --print target-libdir --target wasm32-unknown-unknown 2>/dev/null || true)
    if [ ! -d "$libraries" ]; then
        command -v rustup >/dev/null || missing "the Rust target wasm32-unknown-unknown" "install it as your distribution has it, or Rust by rustup"
        say "installing the Rust target wasm32-unknown-unknown (rustup)"
        rustup target add wasm32-unknown-unknown >&2
    fi
    local components=""
    for component in rustfmt clippy; do
        cargo "${component/rustfmt/fmt}" --version >/dev/null 2>&1 || components="$components $component"
    done
    if [ -n "$components" ] && command -v rustup >/dev/null; then
        say "installing$components (rustup)"
        # shellcheck disable=SC2086
        rustup component add $components >&2
    fi
}

browser() {
    command -v node >/dev/null || missing node "install Node 18 or later"
    command -v npm >/dev/null || missing npm "install npm"
    if [ -z "${CHROMIUM:-}" ] && ! command -v chromium >/dev/null && ! command -v chromium-browser >/dev/null; then
        apt chromium || missing chromium "install it, or set CHROMIUM to a Chromium or Chrome that you have"
    fi
    if [ ! -d "$here/../browser/node_modules/playwright-core" ]; then
        say "installing playwright-core (npm)"
        npm ci --prefix "$here/../browser" --no-audit --no-fund --loglevel=error >&2
    fi
}

case "${1:-}" in
    rust) rust ;;
    browser) browser ;;
    *) say "usage: $0 rust | browser"; exit 2 ;;
esac
