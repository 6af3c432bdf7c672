//! `cargo xtask three-hosts`: a keeper, a hive and a Hub on a machine each, as network namespaces with links between
//! them. Links go down while a download and a watch are running: nothing is lost, and keeper says what happens.

mod scene;

use std::{process::ExitCode, time::Duration};

use anyhow::{Context, Result, ensure};
use clap::Args;
use rustix::process::{Signal, geteuid};
use tokio::time::sleep;

use self::scene::{Link, Scene};
use crate::{
    events::no_event_is_missing,
    keeper::{Finished, Keeper},
    packages,
    programs::{Profile, Programs},
};

/// How long the links are down.
#[derive(Args)]
pub(crate) struct Options {
    /// Seconds that each link is down; may be given several times
    #[arg(long = "down", value_name = "SECONDS", default_values_t = [10, 120])]
    down: Vec<u64>,
}

/// Three heartbeats: what keeper takes for a lost stream.
const SILENCE: Duration = Duration::from_secs(15);
/// A second look at a stream that came to nothing, before it must have gone on.
const SLACK: Duration = Duration::from_secs(5);
/// What ranges in flight may cost a second time, beside the file itself.
const AGAIN_PERCENT: u64 = 10;

/// Plays every break and names each as it holds.
pub(crate) async fn run(options: &Options) -> Result<ExitCode> {
    ensure!(geteuid().is_root(), "network namespaces need root");
    packages::install_missing(&[("ip", "iproute2")])?;
    let programs = Programs::build(Profile::Dev)?;
    for seconds in &options.down {
        let down = Duration::from_secs(*seconds);
        eprintln!("== Links are down for {seconds} s");
        let scene = Scene::start(&programs, down).await?;
        told("a_printed_line_pairs", scene.pair().await)?;
        told(
            "the_hive_goes_on_without_its_keeper_which_says_so_and_misses_nothing",
            keeper_is_cut_off(&scene, down).await,
        )?;
        told(
            "a_hive_waits_for_its_hub_says_so_and_goes_on_from_its_bytes",
            hive_is_cut_off(&scene, down).await,
        )?;
        told(
            "ctrl_c_without_a_link_ends_and_says_what_still_runs",
            ctrl_c_without_a_link(&scene).await,
        )?;
    }
    eprintln!("Nothing was lost");
    Ok(ExitCode::SUCCESS)
}

/// Keeper loses its hive; the job does not notice.
async fn keeper_is_cut_off(scene: &Scene, down: Duration) -> Result<()> {
    let (keeper, watch) = download_and_watch(scene).await?;
    let before = scene.bytes_done().await?;
    scene.set_link(Link::ToHive, "down")?;
    sleep(down).await;
    let after = scene.bytes_done().await?;
    ensure!(
        after > before,
        "without its keeper the job stays at {before} bytes"
    );
    scene.set_link(Link::ToHive, "up")?;
    let downloaded = both_end_well(keeper, watch).await?;
    if down > SILENCE + SLACK {
        says(&downloaded, "gpu1: connection lost, the job goes on")?;
        says(&downloaded, "no event missed")?;
    }
    Ok(())
}

/// The hive loses its Hub; keeper and its watch stay where they are.
async fn hive_is_cut_off(scene: &Scene, down: Duration) -> Result<()> {
    let (keeper, watch) = download_and_watch(scene).await?;
    scene.set_link(Link::ToHub, "down")?;
    sleep(down).await;
    scene.set_link(Link::ToHub, "up")?;
    let downloaded = both_end_well(keeper, watch).await?;
    if down > SILENCE + SLACK {
        says(&downloaded, "gpu1: waiting for the network")?;
    }
    let job = scene.last_job().await?;
    ensure!(job.attempt == 1, "it began {} times", job.attempt);
    let received = scene::bytes_received(&job)?;
    let enough = job.progress.bytes_done * (100 + AGAIN_PERCENT) / 100;
    ensure!(
        received <= enough,
        "{received} bytes were received, more than {enough}"
    );
    Ok(())
}

/// At the worst moment: nobody can be told to cancel, and the job goes on to its end.
async fn ctrl_c_without_a_link(scene: &Scene) -> Result<()> {
    let (keeper, watch) = download_and_watch(scene).await?;
    scene.set_link(Link::ToHive, "down")?;
    keeper.signal_group(Signal::INT)?;
    let left = keeper.finish().await?;
    ensure!(left.signal == Some(Signal::INT.as_raw()), "{left:?}");
    says(&left, "gpu1 did not confirm in 5 s")?;
    says(&left, "keeper job cancel")?;
    scene.set_link(Link::ToHive, "up")?;
    let watched = watch.finish().await?;
    ensure!(watched.code == Some(0), "{watched:?}");
    no_event_is_missing(&watched.stdout)
}

async fn download_and_watch(scene: &Scene) -> Result<(Keeper, Keeper)> {
    let download = ["model", "download", scene::MODEL, "--force-download"];
    let keeper = scene.keeper("download", &download)?;
    keeper.wait_for("downloading").await?;
    let watch = scene.keeper("watch", &["--format", "json", "job", "watch", "last"])?;
    watch.wait_for_stdout("\"progress\"").await?;
    Ok((keeper, watch))
}

async fn both_end_well(keeper: Keeper, watch: Keeper) -> Result<Finished> {
    let downloaded = keeper.finish().await?;
    ensure!(downloaded.code == Some(0), "{downloaded:?}");
    says(&downloaded, "gpu1: done")?;
    let watched = watch.finish().await?;
    ensure!(watched.code == Some(0), "{watched:?}");
    no_event_is_missing(&watched.stdout)?;
    Ok(downloaded)
}

fn says(finished: &Finished, text: &str) -> Result<()> {
    ensure!(
        finished.stderr.contains(text),
        "`{text}` is not said: {finished:?}"
    );
    Ok(())
}

/// Says that a step holds, or which one does not.
fn told(step: &str, result: Result<()>) -> Result<()> {
    result.with_context(|| format!("`{step}` does not hold"))?;
    eprintln!("{step}");
    Ok(())
}
