//! What a runtime of another language does, and what its plugins might try.

wit_bindgen::generate!({ world: "beyond", path: "wit", generate_all });

use wasi::cli::{environment, exit, stderr, stdin, stdout, terminal_stdout};
use wasi::clocks::{monotonic_clock, wall_clock};
use wasi::filesystem::{preopens, types};
use wasi::io::poll::poll;
use wasi::random::{insecure_seed, random};
use wasi::sockets::instance_network;

/// A text that asks for something of WASI gets its answer as the row's text.
pub fn answer(text: &str) -> Option<String> {
    Some(match text {
        "wasi-start" => start(),
        "wasi-monotonic" => monotonic_clock::now().to_string(),
        "wasi-wall" => wall_clock::now().seconds.to_string(),
        "wasi-sleep" => monotonic_clock::subscribe_duration(1).block_and_say(),
        "wasi-random" => format!("{:?} {}", random::get_random_bytes(12), random::get_random_u64()),
        "wasi-seed" => format!("{:?}", insecure_seed::insecure_seed()),
        "wasi-random-much" => random::get_random_bytes(u64::MAX).len().to_string(),
        "wasi-file" => format!("{:?}", types::filesystem_error_code(0)),
        "wasi-socket" => format!("{:?}", instance_network::instance_network()),
        "wasi-handles" => (0..10_000).map(|_| stdout::get_stdout()).collect::<Vec<_>>().len().to_string(),
        "wasi-reused" => (0..10_000).map(|_| stdout::get_stdout().check_write().is_ok()).count().to_string(),
        "wasi-exit" => {
            stderr::get_stderr().write(b"Traceback:\nValueError: no such page\n").ok();
            exit::exit(Err(()));
            String::new()
        }
        "wasi-panic" => {
            stderr::get_stderr()
                .write(b"\nthread panicked at src/lib.rs:1:1:\nno such page\nnote: run with so and so")
                .ok();
            core::arch::wasm32::unreachable()
        }
        "wasi-print" => {
            stdout::get_stdout().write(b"a line\nand a ha").ok();
            stdout::get_stdout().write(b"lf\nand one without end").ok();
            stderr::get_stderr().write(b"careful\n").ok();
            "printed".to_owned()
        }
        _ => return None,
    })
}

/// What runtimes ask before the first line of a plugin runs.
fn start() -> String {
    let out = stdout::get_stdout();
    let pollable = out.subscribe();
    assert!(pollable.ready());
    pollable.block();
    assert_eq!(poll(&[&pollable, &pollable]), [0, 1]);
    assert!(out.blocking_flush().is_ok());
    let end_of_input = stdin::get_stdin().blocking_read(10).is_err();
    format!(
        "{} {} {} {} {end_of_input}",
        environment::get_environment().len(),
        environment::get_arguments().len(),
        preopens::get_directories().len(),
        terminal_stdout::get_terminal_stdout().is_some(),
    )
}

trait Wait {
    fn block_and_say(self) -> String;
}

impl Wait for wasi::io::poll::Pollable {
    fn block_and_say(self) -> String {
        self.block();
        "waited".to_owned()
    }
}
