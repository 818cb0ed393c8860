//! The page in a real browser, over figures and points that move: charts grow, hostile text stays text, a phone has no sideways scroll;
//! reloads appear step by step, and buttons ask for them where there is a token.
//!
//! Needs Node 20, npm and Chromium (`CHROMIUM=/path` where it is not in the PATH). `WASMILL_SCREENSHOTS=DIR` keeps pictures.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod driver;
mod reloads;
mod store;
mod synthetic;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use wasmill::http::{HttpError, Server, Site, Token};
use wasmill::status::health::{Health, Phase};

/// With characters that an address must escape.
const TOKEN: &str = "open sesame&%";

#[test]
fn the_columns_of_a_chart_break_where_windows_are_missing() {
    let node = Command::new("node").args(["--test", "series.mjs"]).current_dir(driver::FOLDER).status();
    assert!(node.expect("node is missing: install Node 20 or later").success());
}

/// A server of the world's pipeline; ends with the sender.
async fn serve(
    world: &synthetic::World,
    token: Option<Token>,
    folder: &Path,
) -> (String, oneshot::Sender<()>, JoinHandle<Result<(), HttpError>>) {
    let health = Arc::new(Health::default());
    health.set(Phase::Running);
    let site = Site::new("commerce", world.plan.clone(), world.figures.clone(), Some(world.store.clone()), health);
    let site = reloads::pretend(site, folder, &world.figures);
    let server = Server::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
    let url = format!("http://{}", server.address);
    let (stop, stopped) = oneshot::channel::<()>();
    (url, stop, tokio::spawn(server.run(Arc::new(site), token, async { drop(stopped.await) })))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_draws_growing_charts_shows_and_asks_for_reloads_and_takes_hostile_text_as_text() {
    let world = synthetic::World::new();
    let folder = tempfile::tempdir().unwrap();
    let (url, stop, serving) = serve(&world, Some(Token::new(TOKEN)), &folder.path().join("a")).await;
    let (read_only, stop_read_only, serving_read_only) = serve(&world, None, &folder.path().join("b")).await;

    let moving = Arc::new(AtomicBool::new(true));
    let mover = {
        let moving = Arc::clone(&moving);
        std::thread::spawn(move || world.run(&moving))
    };
    let driver = tokio::task::spawn_blocking(move || {
        let mut node = driver::page(&url);
        node.args(["--text", synthetic::HOSTILE]).args(["--charts", "3", "--token", TOKEN]);
        node.args(["--reloads", "--read-only", &read_only]);
        node.status().expect("node is missing: install Node 20 or later")
    });
    let passed = driver.await.unwrap().success();
    moving.store(false, Ordering::Relaxed);
    mover.join().unwrap();
    for (stop, serving) in [(stop, serving), (stop_read_only, serving_read_only)] {
        stop.send(()).unwrap();
        serving.await.unwrap().unwrap();
    }
    assert!(passed, "the browser saw what its messages above say");
}
