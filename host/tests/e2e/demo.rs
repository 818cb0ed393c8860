//! `wasmill demo` as a newcomer runs it, and its page in a real browser.

use std::fs::File;
use std::process::{Command, Stdio};
use std::time::Duration;

use wasmill_testkit::{Service, free_port};

use crate::driver;
use crate::harness::{PATIENCE, WASMILL, wait_for};

/// Longer than the browser needs; the demo dies with the test.
const WHILE_THE_BROWSER_LOOKS: &str = "10m";

fn demo(arguments: &[&str], log: &std::path::Path) -> Service {
    let mut command = Command::new(WASMILL);
    command.arg("demo").args(arguments).env_remove("RUST_LOG").stdin(Stdio::null());
    let out = File::create(log).unwrap();
    command.stdout(out.try_clone().unwrap()).stderr(out);
    Service::spawn("wasmill demo", command)
}

#[test]
fn the_page_of_the_demo_draws_charts_that_grow_without_an_error_in_the_browser() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("demo.log");
    let port = free_port();
    let address = format!("127.0.0.1:{port}");
    let mut demo = demo(&["--for", WHILE_THE_BROWSER_LOOKS, "--listen", &address], &log);
    demo.wait_for_port(port, PATIENCE, &log);
    let looked = driver::page(&format!("http://{address}")).args(["--charts", "1"]).status();
    let looked = looked.expect("node is missing: install Node 20 or later");
    demo.terminate();
    let ended = demo.wait(Duration::from_secs(10));
    let said = std::fs::read_to_string(&log).unwrap();
    assert!(looked.success(), "the browser saw what its messages above say; the demo said:\n{said}");
    assert!(ended.success(), "after SIGTERM the demo ended with {ended}:\n{said}");
}

#[test]
fn a_demo_for_thirty_seconds_ends_by_itself_having_written_points() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("demo.log");
    let address = format!("127.0.0.1:{}", free_port());
    let mut demo = demo(&["--for", "30s", "--listen", &address], &log);
    let ended = wait_for("the end of the demo", PATIENCE, || demo.ended());
    let said = std::fs::read_to_string(&log).unwrap();
    assert!(ended.success(), "{ended}:\n{said}");
    assert!(said.contains(" points were written") && !said.contains("\n0 points"), "{said}");
}
