//! Foreign clients of the event stream: a browser's EventSource (Chromium), by session cookie, and Python's
//! `sseclient-py`. Each loses its connection once, and must see the job's log whole, in order and once all the same.
//! Needs Python and its package index, and Chromium (Debian package).

mod proxy;

use std::{
    path::Path,
    process::{ExitCode, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use fake_hub::{FakeHub, Fault, Repository, Requests};
use proxy::Proxy;
use rustix::process::{Pid, Signal, kill_process_group};
use serde::Deserialize;
use tokio::{process::Command, time::timeout};

use crate::{
    listening_hive::ListeningHive,
    packages,
    programs::{Profile, Programs},
    virtual_environment,
};

const CLIENTS: [&str; 2] = ["sseclient-py==1.9.0", "requests==2.34.2"];
const MODEL: &str = "demo/Tiny-GGUF";
const MODEL_BYTES: u64 = 3_000_000;
/// So that the job outlives the cut and the reader's return, two seconds later.
const BYTES_PER_SECOND: u64 = 500_000;
const LIMIT: Duration = Duration::from_mins(2);

/// What a client saw of one job's stream.
#[derive(Debug, Deserialize)]
struct Seen {
    /// How often it connected.
    connections: u32,
    /// The number of the last event that the first snapshot told of.
    begun_after: u64,
    /// The logged events in the order in which they came, with their numbers.
    events: Vec<(String, u64)>,
    /// The number of the job's last event, as its last event says.
    sequence: u64,
}

/// Has both clients follow a job through a proxy that cuts their first streams.
pub(crate) async fn run() -> Result<ExitCode> {
    packages::install_missing(&[("chromium", "chromium")])?;
    let python = virtual_environment::install("sse-client", &CLIENTS)?;
    let programs = Programs::build(Profile::Dev)?;
    let hub = FakeHub::builder()
        .repository(Repository::sample_gguf(MODEL, MODEL_BYTES))
        .start()
        .await;
    hub.on(Requests::cdn()).answer(Fault::Drip {
        bytes_per_second: BYTES_PER_SECOND,
    });
    let hive = ListeningHive::start(&programs.hive(), &[], hub.endpoint()).await?;
    let followed = follow(&hive, &python.join("bin/python")).await;
    hive.stop().await?;
    followed?;
    eprintln!("A browser and a Python client see every event, in order and once");
    Ok(ExitCode::SUCCESS)
}

async fn follow(hive: &ListeningHive, python: &Path) -> Result<()> {
    let page = include_str!("browser/page.html")
        .replace("TOKEN", hive.token())
        .replace("MODEL", MODEL);
    let mut proxy = Proxy::start(hive.address(), page).await?;

    proxy.cut_next_stream();
    let mut chromium = chromium(hive.home(), proxy.address())?;
    let told = timeout(LIMIT, proxy.result()).await;
    let pid = chromium.id().and_then(|id| i32::try_from(id).ok());
    kill_process_group(
        pid.and_then(Pid::from_raw).context("Chromium has ended")?,
        Signal::KILL,
    )?;
    chromium.wait().await?;
    let by_browser = told.context("the page did not see the job's end")??;
    let by_browser: Seen = serde_json::from_str(&by_browser).context(by_browser)?;
    check("the browser", &by_browser)?;

    proxy.cut_next_stream();
    let output = Command::new(python)
        .arg("-c")
        .arg(include_str!("browser/follow.py"))
        .arg(format!("http://{}", proxy.address()))
        .env("HIVE_TOKEN", hive.token())
        .stderr(Stdio::inherit())
        .output();
    let output = timeout(LIMIT, output).await.context("Python hangs")??;
    ensure!(
        output.status.success(),
        "Python ended with {}",
        output.status
    );
    let by_python: Seen = serde_json::from_slice(&output.stdout)?;
    check("the Python client", &by_python)?;
    ensure!(
        by_python.events.ends_with(&by_browser.events),
        "they saw different logs: {by_browser:?} and {by_python:?}"
    );
    Ok(())
}

/// Every number after the first snapshot's, up to the last event's, once and in order, over more than one connection.
fn check(who: &str, seen: &Seen) -> Result<()> {
    let numbers: Vec<u64> = seen.events.iter().map(|(_, number)| *number).collect();
    let whole: Vec<u64> = (seen.begun_after + 1..=seen.sequence).collect();
    ensure!(
        numbers == whole,
        "{who} missed or repeated events: {seen:?}"
    );
    ensure!(seen.connections > 1, "{who} was not cut: {seen:?}");
    let last = seen.events.last().map(|(name, _)| name.as_str());
    ensure!(last == Some("succeeded"), "{who} saw no end: {seen:?}");
    eprintln!(
        "{who}: {} events over {} connections",
        seen.events.len(),
        seen.connections
    );
    Ok(())
}

fn chromium(home: &Path, address: &str) -> Result<tokio::process::Child> {
    let profile = home.join("chromium");
    Command::new("chromium")
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--remote-debugging-port=0",
        ])
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg(format!("http://{address}/page"))
        .env("HOME", home)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .context("Chromium did not start")
}
