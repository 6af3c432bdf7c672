//! The files of one download, a few at a time, with one owner that cancels and joins them.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use downloader::{ConnectionShare, RateLimiter, resumable_bytes};
use model_store::BlobName;
use tokio::{
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::{
    Inner, blocking,
    events::Events,
    failure,
    fetch::{Fetched, FileJob},
    planned::{Planned, Target},
    progress::{Board, INTERVAL},
};
use crate::{DownloadRequest, ProvisionError, ProvisionEvent, ProvisionPhase};

/// What the transfers of one download share.
pub(crate) struct Transfers {
    pub(crate) inner: Arc<Inner>,
    pub(crate) planned: Arc<Planned>,
    pub(crate) force: bool,
    pub(crate) rate_limit: RateLimiter,
    /// Its part of the connections, whatever the number of its files.
    pub(crate) connections: ConnectionShare,
    pub(crate) events: Events,
    pub(crate) board: Board,
    /// Blobs that this download fetched: even with `force`, once is enough.
    fetched: Mutex<HashSet<BlobName>>,
    /// Ends every transfer: when the caller cancels, and when one of them fails.
    pub(crate) cancellation: CancellationToken,
}

impl Transfers {
    /// The transfers of this plan, none of them begun.
    pub(crate) fn new(
        inner: &Arc<Inner>,
        planned: &Arc<Planned>,
        request: &DownloadRequest,
        events: &Events,
        cancellation: &CancellationToken,
    ) -> Arc<Self> {
        let cancellation = cancellation.child_token();
        Arc::new(Self {
            inner: Arc::clone(inner),
            planned: Arc::clone(planned),
            force: request.force_download,
            rate_limit: request.rate_limit.clone(),
            connections: inner.connections.share(),
            events: events.until(cancellation.clone()),
            board: Board::new(
                &planned.targets,
                planned.plan.bytes_reused,
                inner.transfer.tries,
            ),
            fetched: Mutex::default(),
            cancellation,
        })
    }

    /// Fetches every file of the plan that the store lacks. When this returns, no transfer runs any more but those that
    /// another download shares.
    pub(crate) async fn run(
        self: &Arc<Self>,
        events: &Events,
    ) -> Result<Vec<Fetched>, ProvisionError> {
        // What is here already counts from the first figures on.
        let (here, missing): (Vec<Target>, Vec<Target>) = self
            .planned
            .targets
            .iter()
            .cloned()
            .partition(|target| target.is_here);
        let mut fetched = Vec::with_capacity(self.planned.targets.len());
        for target in here {
            fetched.push(FileJob::new(self, target).reuse().await?);
        }
        fetched.extend(self.fetch_all(missing).await?);
        fetched.sort_unstable_by_key(|file| file.index);
        events.send_figures(ProvisionEvent::Progress(self.board.sample(Instant::now())));
        Ok(fetched)
    }

    /// Bytes that the store has of the files that were not here when the plan was made: in blobs, and in partials as far
    /// as the next download goes on from them, whether this one came to open them or not. For the end of a download.
    pub(crate) async fn bytes_kept(self: Arc<Self>) -> Result<u64, ProvisionError> {
        let mut wanted = self.board.ended_transfers();
        let missing = self.planned.targets.iter().filter(|target| !target.is_here);
        for identity in missing.filter_map(|target| target.identity.as_ref()) {
            wanted.insert(identity.blob.clone(), identity.clone());
        }
        blocking(move || {
            let folder = &self.planned.folder;
            let mut bytes = 0;
            for (blob, identity) in wanted {
                // One that is fetched again although it was here is not what this download leaves.
                let is_old = self.force && self.planned.may_replace(&blob);
                let counts = !is_old || self.has_fetched(&blob);
                let whole = folder.blob_size(&blob).map_err(failure::of_store)?;
                bytes += whole.filter(|_| counts).unwrap_or_else(|| {
                    let partial = folder.partial_path(&blob);
                    resumable_bytes(&partial, identity.digest, &self.inner.boot_id)
                });
            }
            Ok(bytes)
        })
        .await
    }

    pub(crate) fn has_fetched(&self, blob: &BlobName) -> bool {
        let fetched = self.fetched.lock();
        fetched
            .unwrap_or_else(PoisonError::into_inner)
            .contains(blob)
    }

    /// Whether that is news.
    pub(crate) fn note_fetched(&self, blob: &BlobName) -> bool {
        let fetched = self.fetched.lock();
        fetched
            .unwrap_or_else(PoisonError::into_inner)
            .insert(blob.clone())
    }

    /// Keeps a few transfers running until all are done or one fails; then stops and joins the rest.
    async fn fetch_all(
        self: &Arc<Self>,
        mut waiting: Vec<Target>,
    ) -> Result<Vec<Fetched>, ProvisionError> {
        waiting.reverse();
        let mut running = JoinSet::new();
        let mut fetched = Vec::with_capacity(waiting.len());
        let mut failed = None;
        let mut phase = ProvisionPhase::Downloading;
        let mut figures = interval(INTERVAL);
        figures.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            while failed.is_none() && running.len() < self.inner.parallel_files {
                let Some(target) = waiting.pop() else { break };
                running.spawn(FileJob::new(self, target).fetch().in_current_span());
            }
            tokio::select! {
                biased;
                ended = running.join_next() => match ended {
                    None => break,
                    Some(Ok(Ok(file))) => fetched.push(file),
                    Some(Ok(Err(error))) => self.stop_for(&mut failed, error),
                    Some(Err(lost)) => {
                        let error = failure::of_lost_task(lost);
                        self.stop_for(&mut failed, error);
                    }
                },
                now = figures.tick() => {
                    self.events.send_figures(ProvisionEvent::Progress(self.board.sample(now)));
                    self.tell_phase(&mut phase).await;
                }
            }
        }
        match failed {
            None => Ok(fetched),
            Some(error) => Err(error),
        }
    }

    /// Tells when nothing goes on but waiting for the network, and when something does again.
    async fn tell_phase(&self, told: &mut ProvisionPhase) {
        let phase = if self.board.is_without_network() {
            ProvisionPhase::WaitingForNetwork
        } else {
            ProvisionPhase::Downloading
        };
        if phase != *told {
            *told = phase;
            // After a cancel nobody needs to hear of it.
            let _ = self.events.send(ProvisionEvent::Phase(phase)).await;
        }
    }

    /// The first failure is the one that is told; those that follow from stopping are not.
    fn stop_for(&self, failed: &mut Option<ProvisionError>, error: ProvisionError) {
        self.cancellation.cancel();
        failed.get_or_insert(error);
    }
}
