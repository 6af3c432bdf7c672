//! A hive's part of a download, in this process: a provisioner with short limits, and a caller that listens.

use std::{
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use anyhow::{Context, Result};
use model_provisioner::{
    DownloadRequest, HubLimits, HubSettings, HubToken, ModelReference, ProvisionError,
    ProvisionEvent, Provisioner, ProvisionerSettings, Proxies, PublishedModel, RateLimiter,
    TransferLimits,
};
use model_store::ModelStore;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::matrix::{TRIES, TRIES_REFUSED};
use crate::plan::Moment;

/// The account's token, which must never reach the CDN.
pub(crate) const TOKEN: &str = "hf_chaos";

const KIB: u64 = 1024;

/// A provisioner on a store that others may use too.
pub(crate) struct Hive(Provisioner);

/// How a download ended, and what was told meanwhile.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) result: Result<PublishedModel, ProvisionError>,
    /// Bytes that stay for the next one, as a download that ended early says.
    pub(crate) bytes_kept: u64,
    /// The files of the plan, if it came to one.
    pub(crate) planned: Vec<String>,
    pub(crate) retries: u64,
}

impl Hive {
    pub(crate) fn new(endpoint: &str, store: &Path, first_connections: usize) -> Result<Self> {
        let limits = hub_limits();
        let settings = ProvisionerSettings {
            transfer: TransferLimits {
                first_connections,
                ..transfer_limits(&limits)
            },
            hub: HubSettings {
                endpoint: Url::parse(endpoint)?,
                token: Some(HubToken::new(TOKEN.to_owned(), "chaos")),
                user_agent: "hive/chaos".to_owned(),
                proxies: Proxies::default(),
                ca_file: None,
                is_offline: false,
                limits,
            },
            parallel_files: 4,
            connections: 16,
            rate_limit: RateLimiter::new(None),
        };
        Ok(Self(Provisioner::new(settings, ModelStore::new(store))?))
    }

    /// Downloads, says yes to publishing, and cancels itself at a moment that an event tells.
    pub(crate) async fn download(
        &self,
        request: &DownloadRequest,
        cancel_at: Option<&Moment>,
        cancellation: &CancellationToken,
    ) -> Ended {
        let (sender, mut events) = mpsc::channel(8);
        let retries = AtomicU64::new(0);
        let listening = async {
            let mut planned = Vec::new();
            while let Some(event) = events.recv().await {
                match event {
                    ProvisionEvent::Planned(plan) => {
                        planned = plan.files.into_iter().map(|file| file.path).collect();
                    }
                    ProvisionEvent::Retry(_) => {
                        let told = retries.fetch_add(1, Ordering::Relaxed) + 1;
                        if cancel_at == Some(&Moment::Retried(told)) {
                            cancellation.cancel();
                        }
                    }
                    ProvisionEvent::ReadyToPublish(yes) => {
                        if cancel_at == Some(&Moment::ReadyToPublish) {
                            cancellation.cancel();
                        } else {
                            // One that was cancelled meanwhile hears no answer.
                            let _ = yes.send(());
                        }
                    }
                    ProvisionEvent::Phase(_)
                    | ProvisionEvent::FileStarted { .. }
                    | ProvisionEvent::FileVerified { .. }
                    | ProvisionEvent::Notice(_)
                    | ProvisionEvent::Progress(_) => {}
                }
            }
            planned
        };
        let working = self.0.download(request, sender, cancellation);
        let (result, planned) = tokio::join!(working, listening);
        let bytes_kept = result
            .as_ref()
            .map_or_else(|early| early.bytes_kept.unwrap_or_default(), |_| 0);
        Ended {
            result: result.map_err(|early| early.reason),
            bytes_kept,
            planned,
            retries: retries.into_inner(),
        }
    }
}

/// What is asked for: all files of a repository, or its default quantisation.
pub(crate) fn request(repository: &str, all_files: bool, force: bool) -> Result<DownloadRequest> {
    Ok(DownloadRequest {
        model: ModelReference::parse(repository, None).context("the name of a repository")?,
        include: Vec::new(),
        exclude: Vec::new(),
        all_files,
        force_download: force,
        rate_limit: RateLimiter::new(None),
    })
}

/// Short where a run waits for them, long where a busy machine would be taken for a fault.
fn hub_limits() -> HubLimits {
    HubLimits {
        connect: Duration::from_secs(20),
        headers: Duration::from_secs(2),
        tree: Duration::from_secs(5),
        tries: TRIES,
        tries_refused: TRIES_REFUSED,
        backoff_base: Duration::from_millis(2),
        backoff_cap: Duration::from_millis(40),
        retry_after_cap: Duration::from_millis(30),
        network_patience: Duration::from_secs(8),
    }
}

/// Ranges, batches, records and checkpoints small enough that a file of a MiB has many of each.
fn transfer_limits(hub: &HubLimits) -> TransferLimits {
    TransferLimits {
        open: Duration::from_secs(15),
        idle: Duration::from_millis(1500),
        slow_window: Duration::from_millis(1500),
        end_of_body: Duration::from_millis(50),
        tries: hub.tries,
        tries_refused: TRIES_REFUSED,
        backoff_base: hub.backoff_base,
        backoff_cap: hub.backoff_cap,
        retry_after_cap: hub.retry_after_cap,
        network_patience: hub.network_patience,
        split_from_bytes: 256 * KIB,
        shortest_range_bytes: 64 * KIB,
        window_bytes: 2048 * KIB,
        batch_bytes: 32 * 1024,
        unsynced_bytes: 1024 * KIB,
        record_bytes: 128 * KIB,
        checkpoint: Duration::from_millis(40),
        ..TransferLimits::default()
    }
}
