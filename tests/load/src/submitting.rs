//! Many submissions.

use std::time::Duration;

use anyhow::Result;
use clap::Args;
use futures_util::{TryStreamExt, stream};
use hive_api::{ModelDownload, Operation, Priority, SubmitJob};
use hive_client::{HiveClient, IdempotencyKey};
use serde_json::{Value, json};
use tokio::{
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval},
};
use uuid::Uuid;

use crate::waits::Waits;

/// What is submitted.
#[derive(Args)]
pub(crate) struct Submissions {
    /// The model that each is to download
    #[arg(long)]
    model: String,
    /// So many
    #[arg(long)]
    count: u32,
}

/// Submits all, `at_once` at a time.
pub(crate) async fn store(
    client: &HiveClient,
    submissions: &Submissions,
    at_once: usize,
) -> Result<Value> {
    let request = submissions.request();
    stream::iter((0..submissions.count).map(Ok))
        .try_for_each_concurrent(at_once, |_| submit(client, &request))
        .await?;
    Ok(json!({ "stored": submissions.count }))
}

/// Submits `rate` a second. A wait counts from the moment at which it was to be sent, so that an answer that holds up
/// the next ones counts for them too.
pub(crate) async fn at_a_rate(
    client: &HiveClient,
    submissions: &Submissions,
    rate: u32,
) -> Result<Value> {
    let mut ticks = interval(Duration::from_secs(1) / rate);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut answers = JoinSet::new();
    for _ in 0..submissions.count {
        let due = ticks.tick().await;
        let (client, request) = (client.clone(), submissions.request());
        answers.spawn(async move {
            submit(&client, &request).await?;
            anyhow::Ok(Instant::now().duration_since(due))
        });
    }
    let mut waits = Waits::default();
    while let Some(wait) = answers.join_next().await {
        waits.add(wait??);
    }
    Ok(waits.figures())
}

impl Submissions {
    fn request(&self) -> SubmitJob {
        SubmitJob {
            operation: Operation::ModelDownload(ModelDownload {
                model: self.model.clone(),
                ..ModelDownload::default()
            }),
            priority: Priority::Normal,
            limit_bytes_per_second: None,
        }
    }
}

async fn submit(client: &HiveClient, request: &SubmitJob) -> Result<()> {
    client
        .submit(request, IdempotencyKey::new(Uuid::new_v4()))
        .await?;
    Ok(())
}
