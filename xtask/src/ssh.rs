//! `cargo xtask ssh`: a hive behind Debian's openssh-server, in network namespaces of its own: added in one line,
//! downloaded from, watched and cancelled over a link that goes down and an sshd that is killed. Needs root.

mod scene;

use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use rustix::process::{Signal, geteuid};

use self::scene::Scene;
use crate::{
    events::no_event_is_missing,
    packages,
    programs::{Profile, Programs},
};

/// What the fake Hub serves.
const MODEL: &str = "demo/Tiny-GGUF";
const SMALL_MODEL: &str = "demo/Small";
/// Shorter than what makes ssh give the connection up.
const SHORT_BREAK_SECONDS: u64 = 10;

/// Runs the whole way and names each step as it holds.
pub(crate) async fn run() -> Result<ExitCode> {
    ensure!(geteuid().is_root(), "network namespaces need root");
    packages::install_missing(&[
        ("sshd", "openssh-server"),
        ("ssh", "openssh-client"),
        ("ip", "iproute2"),
    ])?;
    let programs = Programs::build(Profile::Dev)?;
    let mut scene = Scene::start(&programs).await?;
    told("a_hive_is_added_in_one_line", add(&scene).await)?;
    told(
        "a_link_that_is_down_for_10_s_loses_nothing_and_two_keepers_share_a_master",
        short_break(&scene).await,
    )?;
    told("a_tunnel_by_hand_is_a_way_too", tunnel(&scene).await)?;
    told(
        "a_killed_sshd_is_connected_to_again_and_ctrl_c_cancels",
        killed_sshd(&mut scene).await,
    )?;
    told("an_idle_master_ends", scene.wait_for_no_ssh().await)?;
    told(
        "an_sshd_that_forwards_nothing_is_named",
        refused(&mut scene).await,
    )?;
    eprintln!("A hive behind ssh is as near as one's own");
    Ok(ExitCode::SUCCESS)
}

async fn add(scene: &Scene) -> Result<()> {
    let added = scene.keeper("add", &["hive", "add", "gpu1", "ssh://gpu1"])?;
    let added = added.finish().await?;
    ensure!(added.code == Some(0), "{added:?}");
    ensure!(
        added.stderr.contains("gpu1 is used when no hive is named"),
        "{added:?}"
    );
    Ok(())
}

async fn tunnel(scene: &Scene) -> Result<()> {
    let (mut ssh, variables) = scene.tunnel().await?;
    let doctor = scene.keeper_with(&variables, "doctor", &["hive", "doctor"])?;
    let doctor = doctor.finish().await?;
    ensure!(doctor.code == Some(0), "{doctor:?}");
    ensure!(doctor.stdout.contains("ok    Stream"), "{doctor:?}");
    let download = ["model", "download", SMALL_MODEL];
    let downloaded = scene.keeper_with(&variables, "tunnelled", &download)?;
    let downloaded = downloaded.finish().await?;
    ensure!(downloaded.code == Some(0), "{downloaded:?}");
    Ok(ssh.kill().await?)
}

async fn short_break(scene: &Scene) -> Result<()> {
    let keeper = scene.keeper("download", &["model", "download", MODEL])?;
    keeper.wait_for("downloading").await?;
    let watch = ["--format", "json", "job", "watch", "last"];
    let watch = scene.keeper("watch", &watch)?;
    watch.wait_for_stdout("snapshot").await?;
    ensure!(scene.masters()? == 1, "two keepers have two masters");

    scene.link("down")?;
    tokio::time::sleep(std::time::Duration::from_secs(SHORT_BREAK_SECONDS)).await;
    scene.link("up")?;

    let downloaded = keeper.finish().await?;
    ensure!(downloaded.code == Some(0), "{downloaded:?}");
    ensure!(downloaded.stderr.contains("gpu1: done"), "{downloaded:?}");
    let watched = watch.finish().await?;
    ensure!(watched.code == Some(0), "{watched:?}");
    no_event_is_missing(&watched.stdout)
}

async fn killed_sshd(scene: &mut Scene) -> Result<()> {
    let download = ["model", "download", MODEL, "--force-download"];
    let keeper = scene.keeper("again", &download)?;
    keeper.wait_for("downloading").await?;
    scene.kill_sshd().await?;
    keeper
        .wait_for("gpu1: connection lost, the job goes on, trying again")
        .await?;
    scene.start_sshd(&[]).await?;
    keeper.wait_for("no event missed").await?;

    keeper.signal_group(Signal::INT)?;
    let cancelled = keeper.finish().await?;
    ensure!(
        cancelled.signal == Some(Signal::INT.as_raw()),
        "{cancelled:?}"
    );
    ensure!(cancelled.stderr.contains("Cancelled"), "{cancelled:?}");
    Ok(())
}

async fn refused(scene: &mut Scene) -> Result<()> {
    scene.kill_sshd().await?;
    scene.start_sshd(&["AllowStreamLocalForwarding no"]).await?;
    let status = scene
        .keeper("refused", &["hive", "status"])?
        .finish()
        .await?;
    ensure!(status.code == Some(3), "{status:?}");
    ensure!(
        status.stderr.contains("AllowStreamLocalForwarding"),
        "{status:?}"
    );
    scene.kill_sshd().await?;
    scene.start_sshd(&[]).await?;
    let stopped = scene.keeper("stop", &["hive", "stop"])?.finish().await?;
    ensure!(stopped.code == Some(0), "{stopped:?}");
    Ok(())
}

/// Says that a step holds, or which one does not.
fn told(step: &str, result: Result<()>) -> Result<()> {
    result.with_context(|| format!("`{step}` does not hold"))?;
    eprintln!("{step}");
    Ok(())
}
