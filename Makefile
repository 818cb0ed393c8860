# Two commands: `make demo` (see it run, nothing to install) and `make test` (everything CI runs, with real services).

SHELL := bash
.DELETE_ON_ERROR:
.PHONY: help demo test bench audit tools plugins

help:
	@echo "make demo    the commerce example on an embedded broker and store; prints the dashboard's address"
	@echo "make test    formatting, lints, all tests, end-to-end tests on a real Kafka and a real InfluxDB (installs what is missing)"
	@echo "make plugins the examples' own plugins, where their pipelines look for them"
	@echo "make bench   speeds as ratios in one run, on a real Kafka (installs what is missing)"
	@echo "make audit   licences, sources and advisories of all dependencies (needs cargo-deny)"

# The Rust target of plugins and a C compiler, or one line that says what is missing.
tools:
	@host/tests/services/tools.sh rust

demo: tools
	@echo "Building Wasmill (minutes, the first time)"
	cargo build --release
	target/release/wasmill demo $(DEMO)

# The examples' own plugins, where their pipelines look for them.
plugins: tools
	cargo build --release
	for example in examples/*/; do target/release/wasmill plugin build $$example/plugins/*/ --out $$example/plugins || exit 1; done

test: tools
	host/tests/run.sh

bench: tools
	host/benches/run.sh

audit:
	@command -v cargo-deny >/dev/null || { echo "make audit needs cargo-deny: cargo install --locked cargo-deny"; exit 1; }
	cargo deny check licenses bans sources
	cargo deny check advisories || echo "advisories: not checked (see above)"
