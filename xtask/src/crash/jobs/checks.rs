//! What a hive promises of the jobs of a night, held to what it told.

use std::fs;

use anyhow::{Context, Result, bail, ensure};
use fake_hub::Requests;
use futures_util::StreamExt;
use hive_api::JobState;
use hive_client::{Followed, HiveClient, JobFilter};
use tokio::process::Command;

use super::{
    history::{JobHistory, Told, What},
    night::Night,
};
use crate::crash::store::Places;

/// What may be on its way when a connection is closed: one write of the CDN.
const UNDER_WAY_BYTES: u64 = 64 * 1024;

/// The changes of state that there are (design, "A job's life"); a restart puts a running job back into the queue.
const WAYS: &[(&str, &[&str])] = &[
    ("queued", &["running", "paused", "cancelled"]),
    (
        "running",
        &["queued", "pausing", "cancelling", "succeeded", "failed"],
    ),
    ("pausing", &["paused", "cancelling"]),
    ("paused", &["queued", "cancelled"]),
    ("cancelling", &["cancelled"]),
];

/// Checks every job that was acknowledged, while a hive still answers.
pub(super) async fn check(night: &Night<'_>) -> Result<()> {
    let client = night.client()?;
    let jobs = night.history.jobs();
    let listed = client.jobs(&JobFilter::default()).await?.jobs.len();
    ensure!(
        listed == jobs.len(),
        "{} jobs were acknowledged and {listed} are there",
        jobs.len()
    );
    for job in &jobs {
        check_job(night, &client, job)
            .await
            .with_context(|| format!("job {}", job.id))?;
    }
    Ok(())
}

async fn check_job(night: &Night<'_>, client: &HiveClient, job: &JobHistory) -> Result<()> {
    let told = client.job(job.id).await?;
    let state = *told.state.known().context("an unknown state")?;
    let log = log(client, job).await?;
    check_log(&log, state)?;
    let missed = log.iter().filter(|told| told.sequence > job.watched_from);
    ensure!(
        missed.eq(&job.watched),
        "its watcher was told {:?}, its log from {} on is {log:?}",
        job.watched,
        job.watched_from
    );
    if job.cancel_promised {
        ensure!(
            state == JobState::Cancelled,
            "a cancel was promised and it is {}",
            state.as_str()
        );
    }
    let places = night.places(job.repository)?;
    match state {
        JobState::Cancelled => {
            check_is_unpublished(&places)?;
            let (kept, here) = (told.partial_bytes_kept, places.kept_bytes()?);
            ensure!(
                kept == here,
                "it told {kept} bytes as kept, {here} are here"
            );
            check_is_silent(night, job)
        }
        JobState::Succeeded => {
            let content = night.repositories[job.repository].content(&places.file);
            places.check_published(content.context("it is served")?)
        }
        other => bail!("it is {}", other.as_str()),
    }
}

/// Sequence numbers rise one by one, each change of state is one that there is, and there is one end.
fn check_log(log: &[Told], state: JobState) -> Result<()> {
    ensure!(
        log.iter()
            .map(|told| told.sequence)
            .eq(1..=log.len() as u64),
        "the numbers of its log do not rise one by one: {log:?}"
    );
    let mut at = "queued";
    for told in log.iter().skip(1) {
        let What::State(next) = &told.what else {
            continue;
        };
        let allowed = WAYS.iter().find(|(from, _)| *from == at);
        ensure!(
            allowed.is_some_and(|(_, to)| to.contains(&next.as_str())),
            "{at} was followed by {next}"
        );
        at = next;
    }
    ensure!(at == state.as_str(), "its log ends {at}");
    let ends = log.iter().filter(|told| told.what.is_end()).count();
    ensure!(ends == 1, "{ends} last events");
    ensure!(
        log.last().is_some_and(|told| told.what.is_end()),
        "something was told after the end"
    );
    Ok(())
}

/// No link and no ref was made by a job that was cancelled.
fn check_is_unpublished(places: &Places) -> Result<()> {
    for folder in ["snapshots", "refs"] {
        let folder = places.repository().join(folder);
        let is_empty = match fs::read_dir(&folder) {
            Ok(mut entries) => entries.next().is_none(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
            Err(error) => return Err(error.into()),
        };
        ensure!(is_empty, "a cancelled job has left `{}`", folder.display());
    }
    Ok(())
}

/// Nothing was asked of the CDN and nothing was sent by it after a job was said to be cancelled.
fn check_is_silent(night: &Night<'_>, job: &JobHistory) -> Result<()> {
    let (told_at, sent) = job.cancelled.context("nobody was told")?;
    let file = &night.models[job.repository].file;
    let requests = night.hub.cdn().requests_of(&Requests::cdn().file(file));
    let later = requests.iter().filter(|seen| seen.received_at > told_at);
    ensure!(later.count() == 0, "it asked on after its end");
    let since = night.hub.cdn().bytes_sent(file) - sent;
    ensure!(
        since <= UNDER_WAY_BYTES,
        "{since} bytes were sent after its end"
    );
    Ok(())
}

/// The whole log of a job that has ended.
async fn log(client: &HiveClient, job: &JobHistory) -> Result<Vec<Told>> {
    let mut events = client.follow_after(job.id, 0);
    let mut log = Vec::new();
    while let Some(item) = events.next().await {
        if let Followed::Event { id, event } = item?
            && let Some(what) = What::of(&event)
        {
            log.push(Told { sequence: id, what });
        }
    }
    Ok(log)
}

/// The database is whole, with no hive beside it, as SQLite's own program sees it.
pub(super) async fn check_database(places: &Places) -> Result<()> {
    let output = Command::new("sqlite3")
        .arg(places.state().join("hive.db"))
        .arg("PRAGMA integrity_check")
        .output()
        .await?;
    let verdict = String::from_utf8_lossy(&output.stdout);
    ensure!(verdict.trim() == "ok", "the database: {verdict}");
    Ok(())
}
