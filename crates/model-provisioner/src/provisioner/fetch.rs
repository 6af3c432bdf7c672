//! One file: from its place in the plan to a verified blob in the store.

use std::sync::{Arc, Mutex, PoisonError};

use downloader::{DownloadSpec, RetryNotice, TransferMeter, VerifiedPartial};
use model_store::{BlobLock, BlobName, Existing, RepoPath, StoreError};
use tokio::{
    sync::{OwnedMutexGuard, mpsc},
    task::spawn_blocking,
};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{
    failure,
    patience::ask_patiently,
    planned::{Identity, Target},
    transfers::Transfers,
};
use crate::{Notice, ProvisionError, ProvisionEvent, RetryEvent, hub::HubFile};

/// Retries that may wait to be told; the transfer waits when they are that many.
const RETRIES_IN_FLIGHT: usize = 4;

/// A file that is in the store.
pub(crate) struct Fetched {
    pub(crate) index: u32,
    pub(crate) path: RepoPath,
    pub(crate) blob: BlobName,
    pub(crate) bytes: u64,
    pub(crate) bytes_received: u64,
}

/// The work on one file.
pub(crate) struct FileJob {
    transfers: Arc<Transfers>,
    target: Target,
}

/// Both locks of a blob: inside this process, and with the Hub's other clients.
struct Locked {
    _inside: OwnedMutexGuard<()>,
    _across: BlobLock,
}

impl FileJob {
    pub(crate) fn new(transfers: &Arc<Transfers>, target: Target) -> Self {
        Self {
            transfers: Arc::clone(transfers),
            target,
        }
    }

    /// Takes what the plan found in the store.
    pub(crate) async fn reuse(self) -> Result<Fetched, ProvisionError> {
        let (identity, _) = self.identity().await?;
        self.verified(&identity, 0).await
    }

    /// Fetches the file unless the store has it by now.
    pub(crate) async fn fetch(self) -> Result<Fetched, ProvisionError> {
        let cancellation = self.transfers.cancellation.clone();
        let ready = cancellation.run_until_cancelled(self.make_ready()).await;
        let (identity, address, locked) = ready.unwrap_or(Err(ProvisionError::Cancelled))?;
        let Some(locked) = locked else {
            return self.verified(&identity, 0).await;
        };
        let verified = self.transfer(&identity, address).await?;
        self.place(verified, &identity).await?;
        drop(locked);
        self.verified(&identity, identity.bytes).await
    }

    /// Knows the file and holds its locks; without locks when the store has it. Can be dropped at any point.
    async fn make_ready(&self) -> Result<(Identity, Option<Url>, Option<Locked>), ProvisionError> {
        let (identity, address) = self.identity().await?;
        self.transfers
            .board
            .sized(self.target.index, identity.bytes);
        if self.may_reuse(&identity) && self.is_stored(&identity).await? {
            return Ok((identity, address, None));
        }
        let locked = self.lock(&identity).await?;
        if self.may_reuse(&identity) && self.is_stored(&identity).await? {
            return Ok((identity, address, None));
        }
        if self.target.identity.is_none() {
            self.check_space(&identity).await?;
        }
        Ok((identity, address, Some(locked)))
    }

    /// The hash and size: from the listing, else from the file's own resolve, which also says where it is.
    async fn identity(&self) -> Result<(Identity, Option<Url>), ProvisionError> {
        if let Some(identity) = &self.target.identity {
            return Ok((identity.clone(), None));
        }
        let Transfers {
            inner,
            planned,
            events,
            ..
        } = &*self.transfers;
        let path = self.target.path.as_str();
        let ask = || inner.hub.resolve(&planned.repo, &planned.commit, path);
        let resolved = ask_patiently(
            inner.hub.limits(),
            events,
            Some((self.target.index, path)),
            ask,
        )
        .await
        .map_err(|error| failure::of_hub(error, &planned.repo, &inner.hub))?;
        match (resolved.digest, resolved.bytes) {
            (Some(digest), Some(bytes)) => Ok((Identity::new(digest, bytes)?, Some(resolved.url))),
            _ => Err(ProvisionError::NoHash {
                path: path.to_owned(),
            }),
        }
    }

    fn may_reuse(&self, identity: &Identity) -> bool {
        let fetched = self
            .transfers
            .fetched
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        !self.transfers.force || fetched.contains(&identity.blob)
    }

    async fn is_stored(&self, identity: &Identity) -> Result<bool, ProvisionError> {
        let (folder, identity) = (self.transfers.planned.folder.clone(), identity.clone());
        self.on_disk(move || folder.has_blob(&identity.blob, identity.bytes))
            .await
    }

    async fn check_space(&self, identity: &Identity) -> Result<(), ProvisionError> {
        let store = self.transfers.inner.store.clone();
        let free_bytes = self.on_disk(move || store.free_bytes()).await?;
        if identity.bytes > free_bytes {
            let needed_bytes = identity.bytes;
            return Err(ProvisionError::InsufficientStorage {
                needed_bytes,
                free_bytes,
            });
        }
        Ok(())
    }

    async fn lock(&self, identity: &Identity) -> Result<Locked, ProvisionError> {
        let Transfers { inner, planned, .. } = &*self.transfers;
        let folder = &planned.folder;
        let inside = match inner.locks.of(&folder.blob_path(&identity.blob)) {
            Ok(lock) => lock,
            Err(held) => {
                if !planned.has_twins(&identity.blob) {
                    self.tell_of_waiting().await?;
                }
                held.lock_owned().await
            }
        };
        let (taken, blob) = (folder.clone(), identity.blob.clone());
        let free = self.on_disk(move || taken.try_lock_blob(&blob)).await?;
        let across = if let Some(lock) = free {
            lock
        } else {
            self.tell_of_waiting().await?;
            let lock = folder.lock_blob(&identity.blob).await;
            lock.map_err(failure::of_store)?
        };
        Ok(Locked {
            _inside: inside,
            _across: across,
        })
    }

    async fn tell_of_waiting(&self) -> Result<(), ProvisionError> {
        let path = self.target.path.to_string();
        tracing::info!(
            file.path = path,
            "waiting for another download of the same blob"
        );
        let notice = Notice::WaitsForOtherDownload { path };
        self.transfers
            .events
            .send(ProvisionEvent::Notice(notice))
            .await
    }

    /// Receives and verifies the bytes. Ends only when nothing of the transfer runs any more.
    async fn transfer(
        &self,
        identity: &Identity,
        address: Option<Url>,
    ) -> Result<VerifiedPartial, ProvisionError> {
        let Transfers {
            inner,
            planned,
            events,
            board,
            cancellation,
            ..
        } = &*self.transfers;
        let path = self.target.path.to_string();
        let folder = planned.folder.clone();
        self.on_disk(move || folder.prepare_blob_folder()).await?;
        let spec = DownloadSpec {
            digest: identity.digest,
            size_bytes: identity.bytes,
            partial: planned.folder.partial_path(&identity.blob),
            limits: inner.transfer.clone(),
        };
        let source = HubFile {
            hub: Arc::clone(&inner.hub),
            repo: planned.repo.clone(),
            commit: planned.commit.clone(),
            path: path.clone(),
            digest: identity.digest,
            bytes: identity.bytes,
            address: Mutex::new(address),
        };
        let index = self.target.index;
        tracing::info!(
            file.path = path,
            file.size_bytes = identity.bytes,
            "downloading"
        );
        events
            .send(ProvisionEvent::FileStarted {
                index,
                path: path.clone(),
                bytes_total: identity.bytes,
            })
            .await?;
        let (sender, retries) = mpsc::channel(RETRIES_IN_FLIGHT);
        let meter = Arc::new(TransferMeter::new(sender));
        board.begun(index, &path, identity.bytes, Arc::clone(&meter));
        let ended = CancellationToken::new();
        let receiving = async {
            let result = downloader::download(&spec, &source, &meter, cancellation).await;
            ended.cancel();
            result
        };
        let (result, ()) = tokio::join!(receiving, self.tell_retries(retries, &ended));
        board.ended(index);
        result.map_err(|error| failure::of_download(error, &path, &planned.repo, &inner.hub))
    }

    /// Passes every retry on, the last ones after the transfer's end.
    async fn tell_retries(
        &self,
        mut retries: mpsc::Receiver<RetryNotice>,
        ended: &CancellationToken,
    ) {
        loop {
            let notice = tokio::select! {
                biased;
                notice = retries.recv() => notice,
                () = ended.cancelled() => None,
            };
            let Some(notice) = notice else { return };
            tracing::warn!(
                file.path = %self.target.path,
                retry.cause = ?notice.cause,
                retry.detail = notice.detail,
                retry.try_number = notice.try_number,
                retry.wait_ms = u64::try_from(notice.wait.as_millis()).unwrap_or(u64::MAX),
                retry.kept_bytes = notice.bytes_kept,
                "trying again"
            );
            let retry = RetryEvent {
                file: Some((self.target.index, self.target.path.to_string())),
                cause: notice.cause,
                message: notice.detail,
                try_number: notice.try_number,
                tries: notice.tries,
                wait: notice.wait,
                bytes_kept: notice.bytes_kept,
            };
            // After a cancel nobody needs to hear of a retry.
            let _ = self
                .transfers
                .events
                .send(ProvisionEvent::Retry(retry))
                .await;
        }
    }

    /// Makes the verified file the blob.
    async fn place(
        &self,
        verified: VerifiedPartial,
        identity: &Identity,
    ) -> Result<(), ProvisionError> {
        let (folder, blob) = (self.transfers.planned.folder.clone(), identity.blob.clone());
        let existing = if self.transfers.force {
            Existing::Replace
        } else {
            Existing::Keep
        };
        self.on_disk(move || folder.place_blob(verified.file(), verified.path(), &blob, existing))
            .await?;
        let mut fetched = self
            .transfers
            .fetched
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        fetched.insert(identity.blob.clone());
        Ok(())
    }

    async fn verified(
        &self,
        identity: &Identity,
        received: u64,
    ) -> Result<Fetched, ProvisionError> {
        self.transfers.board.verified(identity.bytes);
        let path = &self.target.path;
        tracing::info!(
            file.path = %path,
            file.size_bytes = identity.bytes,
            file.received_bytes = received,
            "verified"
        );
        let event = ProvisionEvent::FileVerified {
            index: self.target.index,
            path: path.to_string(),
            bytes_total: identity.bytes,
            bytes_received: received,
        };
        self.transfers.events.send(event).await?;
        Ok(Fetched {
            index: self.target.index,
            path: path.clone(),
            blob: identity.blob.clone(),
            bytes: identity.bytes,
            bytes_received: received,
        })
    }

    async fn on_disk<Answer: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<Answer, StoreError> + Send + 'static,
    ) -> Result<Answer, ProvisionError> {
        match spawn_blocking(work).await {
            Ok(answer) => answer.map_err(failure::of_store),
            Err(lost) => Err(failure::of_lost_task(lost)),
        }
    }
}
