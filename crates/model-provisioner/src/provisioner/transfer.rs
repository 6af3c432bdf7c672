//! The transfer of one blob: locked against other programs, received, verified, placed in the store.
//!
//! It runs once, for all downloads that need the blob, and ends when nothing of it runs any more.

use std::sync::Arc;

use downloader::{ConnectionShare, DownloadError, DownloadSpec, OnEnd};
use model_store::{BlobLock, Commit, Existing, RepoFolder, RepoId, RepoPath};
use tokio::sync::broadcast;
use url::Url;

use super::{
    Inner, blocking, failure, on_disk, origin,
    planned::Identity,
    sharing::{Line, News},
    space::Need,
};
use crate::{ProvisionError, hub::HubFile};

/// What a transfer is for: the file of the download that began it.
pub(crate) struct BlobTransfer {
    pub(crate) inner: Arc<Inner>,
    pub(crate) repo: RepoId,
    pub(crate) commit: Commit,
    pub(crate) path: RepoPath,
    pub(crate) folder: RepoFolder,
    pub(crate) identity: Identity,
    /// Where its bytes are, when that is known already.
    pub(crate) address: Option<Url>,
    /// Whether it is fetched although the store may have it.
    pub(crate) force: bool,
    /// The connections of the download that began it.
    pub(crate) connections: ConnectionShare,
}

/// A blob that is in the store.
#[derive(Clone, Debug)]
pub(crate) struct Landed {
    /// The repository's folder that has it.
    pub(crate) folder: RepoFolder,
    /// Whether this transfer fetched it; else another program did meanwhile.
    pub(crate) is_fetched: bool,
}

impl BlobTransfer {
    pub(crate) async fn run(self, line: Line) -> Result<Landed, ProvisionError> {
        let locking = self.lock(&line.news);
        let locked = line.cancellation.run_until_cancelled(locking).await;
        let _lock = locked.unwrap_or(Err(ProvisionError::Cancelled))?;
        if !self.force && self.is_stored().await? {
            return Ok(Landed {
                folder: self.folder,
                is_fetched: false,
            });
        }
        self.receive(&line).await?;
        self.inner.space.is_placed(self.identity.digest);
        Ok(Landed {
            folder: self.folder,
            is_fetched: true,
        })
    }

    /// The lock that the Hub's other clients take.
    async fn lock(&self, news: &broadcast::Sender<News>) -> Result<BlobLock, ProvisionError> {
        let (folder, blob) = (self.folder.clone(), self.identity.blob.clone());
        if let Some(lock) = on_disk(move || folder.try_lock_blob(&blob)).await? {
            return Ok(lock);
        }
        tracing::info!(
            file.path = %self.path,
            "waiting for another program that receives the same blob"
        );
        // Nobody listens when the last waiter has just gone.
        let _ = news.send(News::WaitsForOtherProgram);
        let lock = self.folder.lock_blob(&self.identity.blob).await;
        lock.map_err(failure::of_store)
    }

    async fn is_stored(&self) -> Result<bool, ProvisionError> {
        let (folder, identity) = (self.folder.clone(), self.identity.clone());
        on_disk(move || folder.has_blob(&identity.blob, identity.bytes)).await
    }

    /// Receives and verifies the bytes, and makes them the blob.
    async fn receive(&self, line: &Line) -> Result<(), ProvisionError> {
        let partial = self.folder.partial_path(&self.identity.blob);
        let (folder, path, commit) = (self.folder.clone(), partial.clone(), self.commit.clone());
        blocking(move || {
            folder.prepare_blob_folder().map_err(failure::of_store)?;
            origin::note(&path, &commit)
        })
        .await?;
        self.inner
            .space
            .is_received_at(self.identity.digest, &partial);
        let spec = DownloadSpec {
            digest: self.identity.digest,
            size_bytes: self.identity.bytes,
            partial,
            on_end: OnEnd::Keep,
            limits: self.inner.transfer.clone(),
            connections: self.connections.clone(),
            rate_limits: line.rate_limits.clone(),
            boot_id: self.inner.boot_id.clone(),
        };
        let source = HubFile::new(
            Arc::clone(&self.inner.hub),
            self.repo.clone(),
            self.commit.clone(),
            self.path.to_string(),
            (self.identity.digest, self.identity.bytes),
            self.address.clone(),
        );
        tracing::info!(
            file.path = %self.path,
            file.size_bytes = self.identity.bytes,
            "downloading"
        );
        let received = downloader::download(&spec, &source, &line.meter, &line.cancellation).await;
        let verified = match received {
            Ok(verified) => verified,
            Err(unfinished) => {
                if unfinished.bytes_kept == 0 {
                    self.forget_origin().await?;
                }
                return Err(self.failure(unfinished.reason).await);
            }
        };
        let (folder, blob) = (self.folder.clone(), self.identity.blob.clone());
        let existing = if self.force {
            Existing::Replace
        } else {
            Existing::Keep
        };
        on_disk(move || folder.place_blob(verified.file(), verified.path(), &blob, existing))
            .await?;
        self.forget_origin().await
    }

    async fn forget_origin(&self) -> Result<(), ProvisionError> {
        let partial = self.folder.partial_path(&self.identity.blob);
        blocking(move || origin::forget(&partial)).await
    }

    /// A full disk is told with what is needed and what is free.
    async fn failure(&self, error: DownloadError) -> ProvisionError {
        let path = self.path.as_str();
        let error = failure::of_download(error, path, &self.repo, &self.inner.hub);
        let ProvisionError::Storage {
            fault: crate::StorageFault::DiskFull,
            source,
            ..
        } = error
        else {
            return error;
        };
        let (inner, path) = (Arc::clone(&self.inner), path.to_owned());
        let need = Need::new(&self.identity, &self.folder);
        let measuring = on_disk(move || Ok((need.missing_bytes(), inner.store.free_bytes()?)));
        match measuring.await {
            Ok((needed_bytes, free_bytes)) => ProvisionError::DiskFull {
                path,
                needed_bytes,
                free_bytes,
                source,
            },
            Err(error) => error,
        }
    }
}
