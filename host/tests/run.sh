#!/usr/bin/env bash
# `make test`: everything CI runs. Real services are installed first and shared by all tests; what took long is printed at the end.
set -uo pipefail
cd "$(dirname "$0")/../.."
services=host/tests/services
export CARGO_TERM_COLOR=${CARGO_TERM_COLOR:-auto}

declare -a names seconds
failed=""

step() { # NAME COMMAND…
    local name=$1 start=$SECONDS
    shift
    echo "=== $name"
    if "$@"; then
        echo "=== $name: ok, $((SECONDS - start)) s"
    else
        echo "=== $name: FAILED after $((SECONDS - start)) s"
        failed="$failed
  $name"
    fi
    names+=("$name")
    seconds+=($((SECONDS - start)))
}

summary() {
    echo "=== what took long"
    for i in "${!names[@]}"; do printf '%6d s  %s\n' "${seconds[$i]}" "${names[$i]}"; done | sort -rn
    if [ -n "$failed" ]; then
        echo "=== FAILED:$failed"
        exit 1
    fi
    echo "=== all passed"
}

examples() {
    local example status=0
    for example in examples/*/pipeline.toml; do
        echo "$example"
        target/release/wasmill check "$example" && target/release/wasmill test "$example" || status=1
    done
    return $status
}

# As `make plugins`, with the binary that is there: another build of one package would resolve features anew.
plugins() {
    local example
    for example in examples/*/; do
        target/release/wasmill plugin build "$example"plugins/*/ --out "$example"plugins || return 1
    done
}

# All tests; targets that failed are run once more, since tests with real services share the machine with whatever else runs on it. That
# they needed it is said, and a second failure is one.
tests() {
    local log=target/tests.log again status=0
    if cargo test --release --workspace --no-fail-fast 2>&1 | tee "$log"; then
        return 0
    fi
    # Cargo ends with a line a failed target: `-p PACKAGE --test NAME`.
    again=$(sed -n 's/^    `-p [^ ]* \(--[a-z]*[^`]*\)`.*$/\1/p' "$log" | sort -u)
    [ -n "$again" ] || return 1
    while read -r target; do
        echo "=== FAILED ONCE, running again: $target"
        # shellcheck disable=SC2086
        cargo test --release --workspace $target || status=1
    done <<<"$again"
    return $status
}

step "install Kafka" $services/kafka.sh install
step "install the browser" $services/tools.sh browser
step "install InfluxDB" $services/influxd.sh install
step "format" cargo fmt --all --check
# One feature resolution for everything: each dependency is compiled once.
step "build" cargo build --release --workspace --all-targets
step "plugins of the examples" plugins
step "examples" examples
step "tests" tests
step "lints" cargo clippy --release --workspace --all-targets -- -D warnings
summary
