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

step "install Kafka" $services/kafka.sh install
step "install the browser" $services/tools.sh browser
step "install InfluxDB" $services/influxd.sh install
step "format" cargo fmt --all --check
# One feature resolution for everything: each dependency is compiled once.
step "build" cargo build --release --workspace --all-targets
step "plugins of the examples" make -s plugins
step "examples" examples
step "tests" cargo test --release --workspace --no-fail-fast
step "lints" cargo clippy --release --workspace --all-targets -- -D warnings
summary
