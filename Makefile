# Two commands: `make demo` and `make test`.
.PHONY: demo test
demo:
	cargo run --release -- demo
test:
	cargo fmt --all --check
	cargo test --release --workspace
