#!/usr/bin/env bash
# The real InfluxDB 2 for the end-to-end tests, without Docker.
#
#   influxd.sh install         builds influxd into ${WASMILL_CACHE:-$HOME/.cache/wasmill}, once, and prints the path of the binary
#   influxd.sh path            prints that path, and fails if it is not there
#   influxd.sh start DIR PORT  becomes influxd, in the foreground, with its data in DIR, on 127.0.0.1:PORT
#
# The build needs Go 1.23 or later, rustup, a C compiler, git and pkg-config, about 5 GB of disk while it runs and eight minutes of CPU.
# INFLUXD=/path/to/influxd uses that binary instead.
set -euo pipefail

version=2.7.12
# Flux, which influxd links, is Rust and builds with this toolchain only.
flux_rust=1.72
pkg_config_wrapper=v0.2.14

cache=${WASMILL_CACHE:-$HOME/.cache/wasmill}
home=$cache/influxd-$version
binary=${INFLUXD:-$home/influxd}

say() { echo "influxd.sh: $*" >&2; }
fail() { say "$*"; exit 1; }
need() { command -v "$1" >/dev/null || fail "$1 is missing: $2"; }

build() {
    need go "install Go 1.23 or later, or set INFLUXD to an influxd $version that you have"
    need rustup "InfluxDB's Flux library needs Rust $flux_rust beside yours, which only rustup can install; or set INFLUXD to an influxd $version"
    need cc "install a C compiler (Debian: apt-get install gcc)"
    need git "install git"
    if ! command -v pkg-config >/dev/null; then
        [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || fail "pkg-config is missing: install it (Debian: apt-get install pkg-config)"
        say "installing pkg-config (apt-get)"
        apt-get install -qq -y pkg-config >&2
    fi
    say "installing Rust $flux_rust (rustup, minimal profile)"
    rustup toolchain install "$flux_rust" --profile minimal --no-self-update >&2

    local work=$home/build
    mkdir -p "$work/bin" "$work/influxd"
    say "installing influxdata/pkg-config $pkg_config_wrapper and building influxd $version (Go; several minutes the first time)"
    GOBIN=$work/bin go install "github.com/influxdata/pkg-config@$pkg_config_wrapper" >&2
    (
        cd "$work/influxd"
        [ -f go.mod ] || go mod init wasmill.test/influxd >&2
        # The wrapper compiles Flux when Go asks for its flags, so it must be found before the system's pkg-config.
        export PATH=$work/bin:$PATH RUSTUP_TOOLCHAIN=$flux_rust
        unset CARGO_TARGET_DIR RUSTFLAGS
        go get "github.com/influxdata/influxdb/v2/cmd/influxd@v$version" >&2
        go build -trimpath -tags 'sqlite_foreign_keys,sqlite_json' -o "$home/influxd.new" \
            github.com/influxdata/influxdb/v2/cmd/influxd >&2
    )
    mv "$home/influxd.new" "$home/influxd"
    rm -rf "$work"
    say "installed $home/influxd"
}

install() {
    if [ -z "${INFLUXD:-}" ] && [ ! -x "$binary" ]; then
        mkdir -p "$home"
        # Two test runs at once must not build it twice.
        exec 9>"$home/lock"
        flock 9
        [ -x "$binary" ] || build
    fi
    path
}

path() {
    [ -x "$binary" ] || fail "no influxd at $binary: run '$0 install'"
    echo "$binary"
}

start() {
    local directory=$1 port=$2 influxd
    influxd=$(path)
    mkdir -p "$directory"
    exec "$influxd" --bolt-path "$directory/influxd.bolt" --sqlite-path "$directory/influxd.sqlite" --engine-path "$directory/engine" \
        --http-bind-address "127.0.0.1:$port" --reporting-disabled --log-level warn
}

case "${1:-}" in
    install) install ;;
    path) path ;;
    start) [ $# = 3 ] || fail "usage: $0 start DIR PORT"; start "$2" "$3" ;;
    *) fail "usage: $0 install | path | start DIR PORT" ;;
esac
