//! The page in a real browser, over figures and points that move: charts grow, hostile text stays text, a phone has no sideways scroll.
//!
//! Needs Node 20, npm and Chromium (`CHROMIUM=/path` where it is not in the PATH). `WASMILL_SCREENSHOTS=DIR` keeps pictures.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod driver;
mod store;
mod synthetic;

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use wasmill::http::{Server, Site, Token};
use wasmill::status::health::{Health, Phase};

/// With characters that an address must escape.
const TOKEN: &str = "open sesame&%";

#[test]
fn the_columns_of_a_chart_break_where_windows_are_missing() {
    let node = Command::new("node").args(["--test", "series.mjs"]).current_dir(driver::FOLDER).status();
    assert!(node.expect("node is missing: install Node 20 or later").success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_draws_growing_charts_without_an_error_and_shows_hostile_text_as_text() {
    let health = Arc::new(Health::default());
    health.set(Phase::Running);
    let world = synthetic::World::new();
    let site = Site::new("commerce", world.plan.clone(), world.figures.clone(), Some(world.store.clone()), health);
    let server = Server::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
    let url = format!("http://{}", server.address);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(server.run(Arc::new(site), Some(Token::new(TOKEN)), async { drop(stopped.await) }));

    let moving = Arc::new(AtomicBool::new(true));
    let mover = {
        let moving = Arc::clone(&moving);
        std::thread::spawn(move || world.run(&moving))
    };
    let driver = tokio::task::spawn_blocking(move || {
        let mut node = driver::page(&url);
        node.args(["--text", synthetic::HOSTILE]).args(["--charts", "3", "--token", TOKEN]);
        node.status().expect("node is missing: install Node 20 or later")
    });
    let passed = driver.await.unwrap().success();
    moving.store(false, Ordering::Relaxed);
    mover.join().unwrap();
    stop.send(()).unwrap();
    serving.await.unwrap().unwrap();
    assert!(passed, "the browser saw what its messages above say");
}
