//! D28, D32: a name server that takes every question and answers none.

use std::{ffi::OsString, fs, net::UdpSocket, time::Duration};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::{
    scene::{Hive, LIMIT, MODEL, Scene},
    told,
};
use crate::programs::Programs;

const POLL: Duration = Duration::from_millis(100);

/// An address of this machine where no name server is.
const SILENT: &str = "127.77.0.53";

pub(super) async fn run(programs: &Programs) -> Result<()> {
    told(
        "d28_a_look_up_that_is_never_answered",
        never_answered(programs).await,
    )
}

async fn never_answered(programs: &Programs) -> Result<()> {
    let silent = UdpSocket::bind((SILENT, 53)).context("port 53 is taken")?;
    silent.set_nonblocking(true)?;
    let scene = Scene::new(programs, "http://hub.silent.test")?;
    let resolver = scene.path("resolv.conf");
    fs::write(&resolver, format!("nameserver {SILENT}\n"))?;
    // In a mount namespace of its own, so that nobody else's names are lost.
    let script = format!(
        "mount --bind {} /etc/resolv.conf && exec \"$0\" \"$@\"",
        resolver.display()
    );
    let words = ["unshare", "--mount", "sh", "-c", &script].map(OsString::from);
    let hive = scene.hive("state", &words).await?;
    let submitted = scene
        .keeper(&hive, &["model", "download", "--detach", MODEL])
        .await?;
    ensure!(submitted.status.success(), "{submitted:?}");
    let is_asked = || silent.recv(&mut [0; 512]).is_ok();
    scene
        .wait_until("the question for the name", is_asked)
        .await?;

    // The look-up is given up after ten seconds, and the job waits for the network.
    let deadline = Instant::now() + LIMIT;
    while phase(&scene, &hive).await? != "waiting_for_network" {
        ensure!(
            Instant::now() < deadline,
            "the look-up does not end:\n{}",
            scene.log()
        );
        sleep(POLL).await;
    }
    // It is in a look-up or between two; either ends at once.
    let cancelled = scene.keeper(&hive, &["job", "cancel", "last"]).await?;
    ensure!(cancelled.status.success(), "{cancelled:?}");
    scene.stop(hive).await
}

async fn phase(scene: &Scene<'_>, hive: &Hive) -> Result<String> {
    let shown = scene.keeper(hive, &["job", "show", "last"]).await?;
    let job: Value = serde_json::from_slice(&shown.stdout)?;
    ensure!(job["state"] == "running", "the job is {job}");
    Ok(job["phase"].as_str().unwrap_or_default().to_owned())
}
