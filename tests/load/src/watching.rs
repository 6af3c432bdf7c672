//! Many watchers of one job.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result, bail};
use futures_util::{StreamExt, TryStreamExt, stream};
use hive_api::{ChangeJob, Event, JobId};
use hive_client::{CancelJob, Followed, FollowedStream, HiveClient};
use serde_json::{Value, json};
use tokio::{
    sync::RwLock,
    task::JoinSet,
    time::{Instant, interval, timeout_at},
};

use crate::waits::Waits;

/// Watchers that connect at the same time.
const CONNECTING: usize = 64;
const CHANGES_A_SECOND: u32 = 2;
/// The code of the line that a change logs.
const CHANGED: &str = "rate_limit_changed";
const FRESH_A_SECOND: u32 = 50;
/// How long after the cancel a watcher may wait for its last event before it counts as lost.
const LAST_EVENT_LIMIT: Duration = Duration::from_secs(30);

/// When each change of the job was asked for, in their order.
type Changes = RwLock<Vec<Instant>>;

/// What one watcher saw.
#[derive(Default)]
struct Seen {
    waits: Waits,
    reconnected: u32,
    has_last_event: bool,
}

/// Lets `watchers` watch, changes the job twice a second, and cancels it at the end.
pub(crate) async fn watch(
    client: &HiveClient,
    job: JobId,
    watchers: u32,
    seconds: u32,
) -> Result<Value> {
    let changes: Arc<Changes> = Arc::default();
    let mut all = JoinSet::new();
    for stream in connected(client, job, watchers).await? {
        let changes = Arc::clone(&changes);
        all.spawn(async move { read(stream, &changes).await });
    }
    let count = seconds * CHANGES_A_SECOND;
    change(client, job, count, &changes).await?;
    client.cancel(job, CancelJob::default()).await?;
    let deadline = Instant::now() + LAST_EVENT_LIMIT;
    let (mut waits, mut lost_last_events, mut reconnected) = (Waits::default(), 0, 0);
    while let Ok(Some(seen)) = timeout_at(deadline, all.join_next()).await {
        let seen = seen??;
        reconnected += seen.reconnected;
        lost_last_events += usize::from(!seen.has_last_event);
        waits.append(seen.waits);
    }
    // Those who still wait for it.
    lost_last_events += all.len();
    Ok(json!({
        "watchers": watchers,
        "changes": count,
        "lost_last_events": lost_last_events,
        "reconnected": reconnected,
        "events": waits.figures(),
    }))
}

/// Times the first event of `fresh` watchers while `watchers` watch.
pub(crate) async fn first_event(
    client: &HiveClient,
    job: JobId,
    watchers: u32,
    fresh: u32,
) -> Result<Value> {
    let mut readers = JoinSet::new();
    for stream in connected(client, job, watchers).await? {
        readers.spawn(stream.for_each(async |_| {}));
    }
    let mut ticks = interval(Duration::from_secs(1) / FRESH_A_SECOND);
    let mut comers = JoinSet::new();
    for _ in 0..fresh {
        let due = ticks.tick().await;
        let mut stream = client.follow(job);
        comers.spawn(async move {
            snapshot(&mut stream).await?;
            anyhow::Ok(Instant::now().duration_since(due))
        });
    }
    let mut waits = Waits::default();
    while let Some(wait) = comers.join_next().await {
        waits.add(wait??);
    }
    Ok(waits.figures())
}

/// Streams that have had their snapshot.
async fn connected(client: &HiveClient, job: JobId, count: u32) -> Result<Vec<FollowedStream>> {
    stream::iter(0..count)
        .map(|_| async {
            let mut stream = client.follow(job);
            snapshot(&mut stream).await?;
            anyhow::Ok(stream)
        })
        .buffer_unordered(CONNECTING)
        .try_collect()
        .await
}

async fn snapshot(stream: &mut FollowedStream) -> Result<()> {
    match stream.next().await.context("a stream begins")?? {
        Followed::Event {
            event: Event::Snapshot(_),
            ..
        } => Ok(()),
        other => bail!("a stream began with {other:?}"),
    }
}

/// Changes the job's limit again and again: each change is one line of its log.
async fn change(client: &HiveClient, job: JobId, count: u32, changes: &Changes) -> Result<()> {
    let mut ticks = interval(Duration::from_secs(1) / CHANGES_A_SECOND);
    for number in 0..count {
        ticks.tick().await;
        let limit = ChangeJob {
            limit_bytes_per_second: Some(1_000_000 + u64::from(number)),
        };
        changes.write().await.push(Instant::now());
        client.change(job, &limit).await?;
    }
    Ok(())
}

/// Reads to the end.
async fn read(mut stream: FollowedStream, changes: &Changes) -> Result<Seen> {
    let mut seen = Seen::default();
    while let Some(item) = stream.next().await {
        match item? {
            Followed::Event {
                event: Event::Log(log),
                ..
            } if log.code.as_deref() == Some(CHANGED) => {
                let asked = changes.read().await.get(seen.waits.count()).copied();
                seen.waits
                    .add(asked.context("nobody asked for it")?.elapsed());
            }
            Followed::Event { event, .. } => seen.has_last_event |= event.last().is_some(),
            Followed::Reconnected { .. } => seen.reconnected += 1,
            Followed::ConnectionLost { .. } => {}
        }
    }
    Ok(seen)
}
