#!/usr/bin/env bash
# `make bench`: builds and runs the benchmark on a real Kafka, which is installed first if it is missing. N: events, 10,000,000 if not said.
# Exits 0 whatever the figures are: only a wrong result or a part that fails is an error.
set -euo pipefail
cd "$(dirname "$0")/../.."
host/tests/services/kafka.sh install
exec cargo bench --package wasmill --bench speed
