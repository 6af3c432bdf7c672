//! D28, D32: a name server that takes every question and answers none.

use std::{ffi::OsString, fs, net::UdpSocket, time::Duration};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tokio::{
    process::Command,
    time::{Instant, sleep, timeout},
};

use super::{
    scene::{Hive, LIMIT, MODEL, Scene},
    told,
};
use crate::programs::Programs;

const POLL: Duration = Duration::from_millis(100);

/// The system itself asks twice, for five seconds each.
const LOOK_UP_LIMIT: Duration = Duration::from_secs(9);

/// An address of this machine where no name server is.
const SILENT: &str = "127.77.0.53";

pub(super) async fn run(programs: &Programs) -> Result<()> {
    told(
        "d28_a_look_up_that_is_never_answered",
        never_answered(programs).await,
    )?;
    told(
        "doctor_does_not_wait_for_a_silent_name_server",
        doctor_is_not_held(programs).await,
    )
}

fn silent_server() -> Result<UdpSocket> {
    let silent = UdpSocket::bind((SILENT, 53)).context("port 53 is taken")?;
    silent.set_nonblocking(true)?;
    Ok(silent)
}

/// Runs a program in a mount namespace of its own, so that nobody else's names are lost.
fn under_silence(scene: &Scene<'_>) -> Result<[OsString; 5]> {
    let resolver = scene.path("resolv.conf");
    fs::write(&resolver, format!("nameserver {SILENT}\n"))?;
    let script = format!(
        "mount --bind {} /etc/resolv.conf && exec \"$0\" \"$@\"",
        resolver.display()
    );
    Ok(["unshare", "--mount", "sh", "-c", &script].map(OsString::from))
}

/// keeper gives the name of a hive up after five seconds, and ends although the system still looks for it.
async fn doctor_is_not_held(programs: &Programs) -> Result<()> {
    let _silent = silent_server()?;
    let scene = Scene::new(programs, "http://127.0.0.1:9")?;
    let words = under_silence(&scene)?;
    let (program, arguments) = words.split_first().context("there is a program")?;
    let mut keeper = Command::new(program);
    keeper
        .args(arguments)
        .arg(programs.keeper())
        .args(["hive", "doctor", "https://gpu9.silent.test"])
        .env("KEEPER_CONFIG_DIR", scene.path("keeper"))
        .kill_on_drop(true);
    let ended = timeout(LOOK_UP_LIMIT, keeper.output()).await;
    let ended = ended.context("keeper waits for the name server")??;
    let said = String::from_utf8(ended.stdout)?;
    ensure!(ended.status.code() == Some(3), "{said}");
    ensure!(said.contains("no answer within 5 s"), "{said}");
    Ok(())
}

async fn never_answered(programs: &Programs) -> Result<()> {
    let silent = silent_server()?;
    let scene = Scene::new(programs, "http://hub.silent.test")?;
    let words = under_silence(&scene)?;
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
