//! The whole way of a download: resolve, plan, fetch, publish; and its first half alone, the plan.

mod account;
mod events;
mod failure;
mod fetch;
mod landing;
mod measure;
mod offline;
mod origin;
mod patience;
mod planned;
mod planning;
mod progress;
mod publishing;
mod sharing;
mod space;
mod transfer;
mod transfers;

use std::{path::PathBuf, sync::Arc, time::SystemTime};

pub use measure::ReceivedSample;

use downloader::{BootId, ConnectionBudget, Limits, RateLimiter};
use model_store::{Commit, ModelStore, RepoId, StoreError};
use tokio::{sync::mpsc, task::spawn_blocking};
use tokio_util::sync::CancellationToken;

use self::{
    events::Events,
    fetch::End,
    patience::{Asker, Question},
    planned::Planned,
    sharing::SharedTransfers,
    space::{Need, Reservation, SpaceLedger},
    transfers::Transfers,
};
use crate::{
    HubSettings, HubSetupError, ModelReference, Plan, ProvisionError, ProvisionEvent,
    ProvisionPhase, Unfinished, hub::Hub,
};

/// What a provisioner works with.
#[derive(Clone, Debug)]
pub struct ProvisionerSettings {
    /// Which Hub, as whom.
    pub hub: HubSettings,
    /// How long a transfer waits for what.
    pub transfer: Limits,
    /// How many files of one download are fetched at the same time.
    pub parallel_files: usize,
    /// How many connections all downloads use together.
    pub connections: usize,
    /// The limit on bytes a second of all downloads together. It can be changed while they run.
    pub rate_limit: RateLimiter,
}

/// What to download.
#[derive(Clone, Debug)]
pub struct DownloadRequest {
    /// The model.
    pub model: ModelReference,
    /// Globs over repository paths, as in `hf download --include`; empty: no restriction.
    pub include: Vec<String>,
    /// Globs over repository paths that are left out.
    pub exclude: Vec<String>,
    /// Take every file instead of what an engine needs.
    pub all_files: bool,
    /// Fetch again what the store already has.
    pub force_download: bool,
    /// The limit on bytes a second over all files of the download. It can be changed while the download runs; what
    /// several downloads share comes at the rate of the most generous.
    pub rate_limit: RateLimiter,
}

/// A model that is whole, verified and visible in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedModel {
    /// `org/name`, with `datasets/` before it for a dataset.
    pub repo: String,
    /// The commit, 40 hexadecimal digits.
    pub commit: String,
    /// The snapshot folder.
    pub snapshot_path: PathBuf,
    /// The selected file, its first shard; else the snapshot folder.
    pub path: PathBuf,
    /// Files published.
    pub files: u32,
    /// Their bytes.
    pub bytes_total: u64,
    /// Of these, bytes that came over the network while this download needed them; what several downloads shared counts
    /// in each of them.
    pub bytes_received: u64,
}

/// Turns model references into published snapshots. Cheap to clone; clones share the transfers, so that a blob is
/// fetched once however many downloads need it, and the account of the disk's space.
#[derive(Clone)]
pub struct Provisioner {
    inner: Arc<Inner>,
}

struct Inner {
    hub: Arc<Hub>,
    store: ModelStore,
    transfer: Limits,
    connections: ConnectionBudget,
    boot_id: BootId,
    parallel_files: usize,
    sharing: SharedTransfers<End>,
    space: Arc<SpaceLedger>,
}

impl Provisioner {
    /// Sets up the clients; sends nothing and touches no disk.
    pub fn new(settings: ProvisionerSettings, store: ModelStore) -> Result<Self, HubSetupError> {
        Ok(Self {
            inner: Arc::new(Inner {
                hub: Arc::new(Hub::new(settings.hub, store.root())?),
                space: Arc::new(SpaceLedger::new(store.clone())),
                store,
                connections: ConnectionBudget::new(settings.connections),
                boot_id: BootId::of_this_machine(),
                transfer: settings.transfer,
                parallel_files: settings.parallel_files.max(1),
                sharing: SharedTransfers::new(settings.rate_limit),
            }),
        })
    }

    /// Says what a download would fetch. Takes no longer than the limit for a listing, and says what is known then.
    pub async fn plan(
        &self,
        request: &DownloadRequest,
        cancellation: &CancellationToken,
    ) -> Result<Plan, ProvisionError> {
        if self.inner.hub.is_offline() {
            return Ok(self.inner.find_offline(request).await?.plan);
        }
        let plan = self.inner.plan_only(request);
        let plan = cancellation.run_until_cancelled(plan).await;
        plan.unwrap_or(Err(ProvisionError::Cancelled))
    }

    /// Downloads and publishes. Tells everything to `events`; waits at [`ProvisionEvent::ReadyToPublish`] for the
    /// caller's yes, after which a cancel comes too late.
    ///
    /// After a cancel every connection is closed at once, and when this returns nothing of it runs any more: end it
    /// by `cancellation` and await it, rather than dropping it.
    pub async fn download(
        &self,
        request: &DownloadRequest,
        events: mpsc::Sender<ProvisionEvent>,
        cancellation: &CancellationToken,
    ) -> Result<PublishedModel, Unfinished> {
        let events = Events::new(events, cancellation.clone());
        self.inner.download(request, &events, cancellation).await
    }

    /// Bytes that a download of this commit, begun at `since`, has left for the next one: in partials, and in blobs that
    /// no snapshot has yet. For one whose process died, and with it its own account.
    pub async fn left_bytes(
        &self,
        repo: &RepoId,
        commit: &Commit,
        since: SystemTime,
    ) -> Result<u64, ProvisionError> {
        let (inner, repo, commit) = (Arc::clone(&self.inner), repo.clone(), commit.clone());
        blocking(move || {
            let partials = origin::kept(&inner.store, &repo, &inner.boot_id, |_| true)?;
            let blobs = inner.store.unlinked_blobs(&repo);
            let blobs = blobs.map_err(failure::of_store)?.into_iter();
            let new = blobs.filter(|blob| blob.modified >= since);
            let verified: u64 = new.map(|blob| blob.bytes).sum();
            Ok(partials.get(&commit).copied().unwrap_or_default() + verified)
        })
        .await
    }

    /// Removes what downloads of this commit have received and not finished, and says how many bytes that were. What
    /// is being received now stays, and so do whole blobs.
    pub async fn discard_partials(
        &self,
        repo: &RepoId,
        commit: &Commit,
    ) -> Result<u64, ProvisionError> {
        let (inner, repo, commit) = (Arc::clone(&self.inner), repo.clone(), commit.clone());
        blocking(move || {
            origin::discard(&inner.store, &repo, &commit, &inner.boot_id, |digest| {
                !inner.sharing.is_running(digest)
            })
        })
        .await
    }
}

impl Inner {
    /// The way of a download.
    async fn download(
        self: &Arc<Self>,
        request: &DownloadRequest,
        events: &Events,
        cancellation: &CancellationToken,
    ) -> Result<PublishedModel, Unfinished> {
        if self.hub.is_offline() {
            let answer = self.answer_offline(request, events, cancellation).await;
            return Ok(answer?);
        }
        let preparing = self.prepare(request, events);
        let planned = cancellation.run_until_cancelled(preparing).await;
        let planned = Arc::new(planned.unwrap_or(Err(ProvisionError::Cancelled))?);
        let transfers = Transfers::new(self, &planned, request, events, cancellation);
        let provided = self
            .provide(&planned, &transfers, events, cancellation)
            .await;
        match provided {
            Ok(published) => Ok(published),
            Err(reason) => Err(Unfinished {
                reason,
                bytes_kept: transfers.bytes_kept().await.ok(),
            }),
        }
    }

    /// From a plan to the published model.
    async fn provide(
        self: &Arc<Self>,
        planned: &Planned,
        transfers: &Arc<Transfers>,
        events: &Events,
        cancellation: &CancellationToken,
    ) -> Result<PublishedModel, ProvisionError> {
        events
            .send(ProvisionEvent::Planned(Box::new(planned.plan.clone())))
            .await?;
        let _reservation = self.reserve(planned.needs()).await?;
        events
            .send(ProvisionEvent::Phase(ProvisionPhase::Downloading))
            .await?;
        let fetched = transfers.run(events).await?;
        self.publish(planned, &fetched, events, cancellation).await
    }

    /// A question of a download: asked until the deadline of nobody, over the whole patience for the network.
    fn question<'a>(
        &'a self,
        repo: &'a RepoId,
        events: &'a Events,
        asker: Asker<'a>,
    ) -> Question<'a> {
        Question {
            hub: &self.hub,
            repo,
            events,
            deadline: None,
            network_patience: self.hub.limits().network_patience,
            asker,
        }
    }

    /// Promises space on the disk until the reservation is dropped.
    async fn reserve(&self, needs: Vec<Need>) -> Result<Reservation, ProvisionError> {
        let space = Arc::clone(&self.space);
        blocking(move || space.reserve(&needs)).await
    }
}

/// Asks the store, off the async workers.
async fn on_disk<Answer: Send + 'static>(
    work: impl FnOnce() -> Result<Answer, StoreError> + Send + 'static,
) -> Result<Answer, ProvisionError> {
    blocking(move || work().map_err(failure::of_store)).await
}

/// Works on the disk, off the async workers.
async fn blocking<Answer: Send + 'static>(
    work: impl FnOnce() -> Result<Answer, ProvisionError> + Send + 'static,
) -> Result<Answer, ProvisionError> {
    match spawn_blocking(work).await {
        Ok(answer) => answer,
        Err(lost) => Err(failure::of_lost_task(lost)),
    }
}
