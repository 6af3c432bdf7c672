//! How fast the Hub gives, and what the disk has promised: figures for a person who asks how this hive does.

use std::{
    sync::{
        Arc, OnceLock,
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
#[derive(Debug)]
pub struct ReceivedSample {
    /// The file's path in the repository.
    pub path: String,
    /// How many bytes.
    pub bytes: u64,
    /// In how long, from the first byte of the first connection on.
    pub took: Duration,
    /// Over how many connections.
    pub connections: usize,
    /// Why one of them ended before its part had come, and before the time was over.
    pub lost: Option<ProvisionError>,
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
        let failed = |error| failure::of_source(error, &planned.repo, &self.inner.hub);
        let received = sampled.map_err(failed)?;
        Ok(ReceivedSample {
            path,
            bytes: received.bytes,
            took: received.took,
            connections,
            lost: received.lost.map(failed),
        })
    }
}

/// What came over all connections.
struct Received {
    bytes: u64,
    took: Duration,
    /// The first error of any connection.
    lost: Option<SourceError>,
}

/// Receives over so many connections. One that fails ends none of the others; where no byte came, its error is all.
async fn receive(
    file: &HubFile,
    size: u64,
    connections: usize,
    within: Duration,
) -> Result<Received, SourceError> {
    let received = AtomicU64::new(0);
    let lost = OnceLock::new();
    let note = |ended: Result<(), SourceError>| {
        // The first one tells enough.
        let _ = ended.map_err(|error| lost.set(error));
    };
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
    let one = async { note(drain(first, &received).await) };
    let others = async {
        while let Some(ended) = ways.next().await {
            note(ended);
        }
    };
    let all = async { tokio::join!(one, others) };
    // The time being over is how most of them end.
    let _ = timeout_at(deadline, all).await;
    let took = began.elapsed();
    let bytes = received.load(Ordering::Relaxed);
    match lost.into_inner() {
        Some(error) if bytes == 0 => Err(error),
        lost => Ok(Received { bytes, took, lost }),
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
