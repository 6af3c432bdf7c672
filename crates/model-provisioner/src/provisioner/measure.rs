//! How fast the Hub gives, and what the disk has promised: figures for a person who asks how this hive does.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use downloader::{OpenReason, RateLimiter, Source, SourceError};
use futures_util::{StreamExt, TryStreamExt, stream::FuturesUnordered};
use tokio::time::{Instant, timeout_at};

use super::{DownloadRequest, Provisioner, blocking, failure, planned::Planned};
use crate::{AccountError, ModelReference, ProvisionError, hub::HubFile};

/// A connection that is to show its rate has at least this to receive.
const LEAST_RANGE_BYTES: u64 = 1 << 20;
/// Finding the file takes no longer.
const PLAN_LIMIT: Duration = Duration::from_secs(10);

/// What was received for nothing but its rate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedSample {
    /// The file's path in the repository.
    pub path: String,
    /// How many bytes.
    pub bytes: u64,
    /// In how long, from the first byte of the first connection on.
    pub took: Duration,
    /// Over how many connections.
    pub connections: usize,
}

impl ReceivedSample {
    /// Bytes a second.
    pub fn bytes_per_second(&self) -> u64 {
        let nanoseconds = self.took.as_nanos().max(1);
        let rate = u128::from(self.bytes) * 1_000_000_000 / nanoseconds;
        u64::try_from(rate).unwrap_or(u64::MAX)
    }
}

impl Provisioner {
    /// Bytes of the store's disk that running downloads have reserved and not written.
    pub async fn reserved_bytes(&self) -> Result<u64, ProvisionError> {
        let space = Arc::clone(&self.inner.space);
        blocking(move || Ok(space.space()?.reserved_bytes)).await
    }

    /// Receives parts of a model's largest file over several connections for no longer than `within`, and throws them
    /// away. No rate limit of the hive holds for it; drop it to end it.
    pub async fn sample(
        &self,
        model: ModelReference,
        connections: usize,
        within: Duration,
    ) -> Result<ReceivedSample, ProvisionError> {
        if let Err(AccountError::Offline) = self.refuse_offline() {
            return Err(ProvisionError::Offline {
                repo: model.repo().to_string(),
                reason: "HF_HUB_OFFLINE is set".to_owned(),
            });
        }
        let request = DownloadRequest {
            model,
            include: Vec::new(),
            exclude: Vec::new(),
            all_files: false,
            force_download: false,
            rate_limit: RateLimiter::new(None),
        };
        let deadline = Instant::now() + PLAN_LIMIT;
        let planned = self.inner.plan_until(&request, deadline).await?;
        self.sample_of(&planned, connections, within).await
    }

    async fn sample_of(
        &self,
        planned: &Planned,
        connections: usize,
        within: Duration,
    ) -> Result<ReceivedSample, ProvisionError> {
        let known = planned.targets.iter().filter_map(|target| {
            let identity = target.identity.as_ref()?;
            Some((identity.bytes, identity.digest, target.path.to_string()))
        });
        let largest = known.max_by_key(|(bytes, ..)| *bytes);
        let Some((size, digest, path)) = largest.filter(|(bytes, ..)| *bytes > 0) else {
            let path = planned.plan.repo.clone();
            return Err(ProvisionError::NoHash { path });
        };
        let hub = Arc::clone(&self.inner.hub);
        let (repo, commit) = (planned.repo.clone(), planned.commit.clone());
        let file = HubFile::new(hub, repo, commit, path.clone(), (digest, size), None);
        let connections = connections.clamp(
            1,
            usize::try_from(size / LEAST_RANGE_BYTES + 1).unwrap_or(1),
        );
        let sampled = receive(&file, size, connections, within).await;
        let (bytes, took) =
            sampled.map_err(|error| failure::of_source(error, &planned.repo, &self.inner.hub))?;
        Ok(ReceivedSample {
            path,
            bytes,
            took,
            connections,
        })
    }
}

/// Bytes that came over so many connections, and in how long. One connection that fails ends none of the others; all
/// that fail are the first one's error.
async fn receive(
    file: &HubFile,
    size: u64,
    connections: usize,
    within: Duration,
) -> Result<(u64, Duration), SourceError> {
    let received = AtomicU64::new(0);
    // The first one finds the address for all.
    let share = size.div_ceil(connections as u64).max(1);
    let first = file.open(0..share.min(size), OpenReason::First).await?;
    let began = Instant::now();
    let deadline = began + within;
    let rest =
        (1..connections as u64).map(|number| (number * share)..((number + 1) * share).min(size));
    let mut ways: FuturesUnordered<_> = rest
        .filter(|range| !range.is_empty())
        .map(|range| async {
            let stream = file.open(range, OpenReason::First).await?;
            drain(stream, &received).await
        })
        .collect();
    let others = async { while ways.next().await.is_some() {} };
    let all = async { tokio::join!(drain(first, &received), others).0 };
    // The time being over is how most of them end.
    let ended = timeout_at(deadline, all).await;
    let bytes = received.load(Ordering::Relaxed);
    match ended {
        Ok(Err(error)) if bytes == 0 => Err(error),
        Ok(_) | Err(_) => Ok((bytes, began.elapsed())),
    }
}

async fn drain(stream: downloader::ByteStream, received: &AtomicU64) -> Result<(), SourceError> {
    stream
        .try_for_each(|chunk| {
            received.fetch_add(chunk.len() as u64, Ordering::Relaxed);
            std::future::ready(Ok(()))
        })
        .await
}
