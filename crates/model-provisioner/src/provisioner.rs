//! The whole way of a download: resolve, plan, fetch, publish; and its first half alone, the plan.

mod blob_locks;
mod events;
mod failure;
mod fetch;
mod patience;
mod planned;
mod planning;
mod progress;
mod publishing;
mod transfers;

use std::{path::PathBuf, sync::Arc};

use downloader::Limits;
use model_store::ModelStore;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use self::{blob_locks::BlobLocks, events::Events};
use crate::{
    HubSettings, HubSetupError, ModelReference, Plan, ProvisionError, ProvisionEvent,
    ProvisionPhase, hub::Hub,
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
}

/// What to download.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// Of these, bytes that came over the network in this download.
    pub bytes_received: u64,
}

/// Turns model references into published snapshots. Cheap to clone; clones share the locks that keep two downloads
/// from fetching one blob at the same time.
#[derive(Clone)]
pub struct Provisioner {
    inner: Arc<Inner>,
}

struct Inner {
    hub: Arc<Hub>,
    store: ModelStore,
    transfer: Limits,
    parallel_files: usize,
    locks: BlobLocks,
}

impl Provisioner {
    /// Sets up the clients; sends nothing and touches no disk.
    pub fn new(settings: ProvisionerSettings, store: ModelStore) -> Result<Self, HubSetupError> {
        Ok(Self {
            inner: Arc::new(Inner {
                hub: Arc::new(Hub::new(settings.hub, store.root())?),
                store,
                transfer: settings.transfer,
                parallel_files: settings.parallel_files.max(1),
                locks: BlobLocks::default(),
            }),
        })
    }

    /// Says what a download would fetch. Takes no longer than the limit for a listing, and says what is known then.
    pub async fn plan(
        &self,
        request: &DownloadRequest,
        cancellation: &CancellationToken,
    ) -> Result<Plan, ProvisionError> {
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
    ) -> Result<PublishedModel, ProvisionError> {
        let events = Events::new(events, cancellation.clone());
        let inner = &self.inner;
        let planned = cancellation
            .run_until_cancelled(inner.prepare(request, &events))
            .await;
        let planned = Arc::new(planned.unwrap_or(Err(ProvisionError::Cancelled))?);
        events
            .send(ProvisionEvent::Planned(Box::new(planned.plan.clone())))
            .await?;
        planned.check_space()?;
        events
            .send(ProvisionEvent::Phase(ProvisionPhase::Downloading))
            .await?;
        let fetched = transfers::run(
            inner,
            &planned,
            request.force_download,
            &events,
            cancellation,
        )
        .await?;
        inner
            .publish(&planned, &fetched, &events, cancellation)
            .await
    }
}
