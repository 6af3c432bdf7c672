//! One file of a download: from its place in the plan to a blob in the store, over a transfer that others may share.

use std::{ops::ControlFlow, sync::Arc};

use downloader::RetryNotice;
use model_store::{BlobName, RepoPath};
use url::Url;

use super::{
    blocking, failure, landing, on_disk, origin,
    patience::Asker,
    planned::{Identity, Target},
    sharing::{News, Next, Outcome, Panicked, Ticket},
    space::{Need, Reservation},
    transfer::{BlobTransfer, Landed},
    transfers::Transfers,
};
use crate::{Notice, ProvisionError, ProvisionEvent, RetryEvent};

/// How a transfer ends.
pub(crate) type End = Result<Landed, ProvisionError>;

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
        self.found(&identity).await
    }

    /// Fetches the file unless the store has it by now.
    pub(crate) async fn fetch(self) -> Result<Fetched, ProvisionError> {
        let (identity, address) = self.unless_cancelled(self.identity()).await?;
        self.transfers
            .board
            .sized(self.target.index, identity.bytes);
        if self.may_reuse(&identity) && self.is_stored(&identity).await? {
            return self.found(&identity).await;
        }
        let _reservation = self.reserve(&identity).await?;
        loop {
            let joining = self.join(&identity, address.as_ref());
            let ticket = self.unless_cancelled(async { Ok(joining.await) }).await?;
            let is_first = ticket.is_first;
            let (end, received) = self.follow(ticket, &identity).await?;
            let landed = match end {
                Ok(landed) => landed,
                // The way to another repository is closed. That says nothing about the way to this one.
                Err(error)
                    if !is_first
                        && error.is_of_another_repository(&self.transfers.planned.repo) =>
                {
                    continue;
                }
                Err(error) => return Err(error.of_file(self.target.path.as_str())),
            };
            let landing = self.land(&landed, received, &identity).await?;
            if let ControlFlow::Break(received) = landing {
                return self.verified(&identity, received).await;
            }
        }
    }

    /// Ends at once when the download is cancelled. For work that can be dropped at any point.
    async fn unless_cancelled<Answer>(
        &self,
        work: impl Future<Output = Result<Answer, ProvisionError>>,
    ) -> Result<Answer, ProvisionError> {
        let cancellation = &self.transfers.cancellation;
        let done = cancellation.run_until_cancelled(work).await;
        done.unwrap_or(Err(ProvisionError::Cancelled))
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
            board,
            ..
        } = &*self.transfers;
        let path = self.target.path.as_str();
        let asker = Asker::File(self.target.index, path, board);
        let question = inner.question(&planned.repo, events, asker);
        let resolved = question
            .ask(|| inner.hub.resolve(&planned.repo, &planned.commit, path))
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
        !self.transfers.force || self.transfers.has_fetched(&identity.blob)
    }

    async fn is_stored(&self, identity: &Identity) -> Result<bool, ProvisionError> {
        let (folder, identity) = (self.transfers.planned.folder.clone(), identity.clone());
        on_disk(move || folder.has_blob(&identity.blob, identity.bytes)).await
    }

    /// Reserves the space of a file whose size the plan did not know.
    async fn reserve(&self, identity: &Identity) -> Result<Option<Reservation>, ProvisionError> {
        if self.target.identity.is_some() {
            return Ok(None);
        }
        let need = Need::new(identity, &self.transfers.planned.folder);
        let reserved = self.transfers.inner.reserve(vec![need]).await?;
        Ok(Some(reserved))
    }

    /// Sits down at the blob's transfer, or begins it.
    async fn join(&self, identity: &Identity, address: Option<&Url>) -> Ticket<End> {
        let Transfers { inner, planned, .. } = &*self.transfers;
        let transfer = BlobTransfer {
            inner: Arc::clone(inner),
            repo: planned.repo.clone(),
            commit: planned.commit.clone(),
            path: self.target.path.clone(),
            folder: planned.folder.clone(),
            identity: identity.clone(),
            address: address.cloned(),
            force: !self.may_reuse(identity),
            connections: self.transfers.connections.clone(),
        };
        let rate_limit = self.transfers.rate_limit.clone();
        let work = |line| transfer.run(line);
        inner.sharing.join(identity.digest, rate_limit, work).await
    }

    /// Waits for the transfer's end and tells what happens to it; gives with the end the bytes that came meanwhile.
    /// After a cancel the place at it is given up.
    async fn follow(
        &self,
        mut ticket: Ticket<End>,
        identity: &Identity,
    ) -> Result<(End, u64), ProvisionError> {
        let Transfers {
            planned,
            events,
            board,
            cancellation,
            ..
        } = &*self.transfers;
        let (index, path) = (self.target.index, self.target.path.to_string());
        if !ticket.is_first && !planned.has_twins(&identity.blob) {
            self.tell(News::WaitsForOtherProgram).await;
        }
        let bytes_total = identity.bytes;
        board.begun(index, &path, bytes_total, ticket.meter());
        let started = ProvisionEvent::FileStarted {
            index,
            path,
            bytes_total,
        };
        // After a cancel nobody needs to hear of it.
        let _ = events.send(started).await;
        let outcome = loop {
            match cancellation.run_until_cancelled(ticket.next()).await {
                Some(Next::News(news)) => self.tell(news).await,
                Some(Next::Ended(outcome)) => break Some(outcome),
                None => break None,
            }
        };
        let Some(outcome) = outcome else {
            // How many bytes are kept is known when nothing of the transfer runs any more.
            ticket.leave().await;
            board.ended(index, identity);
            return Err(ProvisionError::Cancelled);
        };
        let received = board.ended(index, identity);
        Ok((end_of(outcome), received))
    }

    /// After a cancel nobody needs to hear of it.
    async fn tell(&self, news: News) {
        let event = match news {
            News::Retry(notice) => ProvisionEvent::Retry(self.retry(&notice)),
            News::WaitsForOtherProgram => {
                let path = self.target.path.to_string();
                ProvisionEvent::Notice(Notice::WaitsForOtherDownload { path })
            }
        };
        let _ = self.transfers.events.send(event).await;
    }

    fn retry(&self, notice: &RetryNotice) -> RetryEvent {
        tracing::warn!(
            file.path = %self.target.path,
            retry.cause = ?notice.cause,
            retry.detail = notice.detail,
            retry.try_number = notice.try_number,
            retry.wait_ms = u64::try_from(notice.wait.as_millis()).unwrap_or(u64::MAX),
            retry.kept_bytes = notice.bytes_kept,
            "trying again"
        );
        RetryEvent {
            file: Some((self.target.index, self.target.path.to_string())),
            cause: notice.cause,
            message: notice.detail.clone(),
            try_number: notice.try_number,
            tries: notice.tries,
            wait: notice.wait,
            bytes_kept: notice.bytes_kept,
        }
    }

    /// Has the blob in this repository too, and says how many of the `received` bytes this download counts: those of a
    /// blob that is there under two paths once, those of one that came twice because it was wrong no more than its
    /// size. Goes on where another program fetched it and this download is to fetch it itself.
    async fn land(
        &self,
        landed: &Landed,
        received: u64,
        identity: &Identity,
    ) -> Result<ControlFlow<u64>, ProvisionError> {
        if !landed.is_fetched && !self.may_reuse(identity) {
            return Ok(ControlFlow::Continue(()));
        }
        let own = self.transfers.planned.folder.clone();
        if landed.folder.path() != own.path() {
            let (from, identity) = (landed.folder.clone(), identity.clone());
            blocking(move || landing::take_over(&identity.blob, identity.bytes, &from, &own))
                .await?;
        }
        let counts = landed.is_fetched && self.transfers.note_fetched(&identity.blob);
        let received = if counts {
            received.min(identity.bytes)
        } else {
            0
        };
        Ok(ControlFlow::Break(received))
    }

    /// The store has it. What a process that died may have left beside it goes.
    async fn found(&self, identity: &Identity) -> Result<Fetched, ProvisionError> {
        let partial = self.transfers.planned.folder.partial_path(&identity.blob);
        blocking(move || origin::clear(&partial)).await?;
        self.verified(identity, 0).await
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
}

/// A panic of the transfer goes on in each of its waiters.
fn end_of(outcome: Outcome<End>) -> End {
    outcome.unwrap_or_else(|Panicked(words)| std::panic::resume_unwind(Box::new(words)))
}
