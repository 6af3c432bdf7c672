//! The one thread that writes and hashes what is received, in order, off the async workers.

use std::fs::File;
use std::io::{self, IoSlice, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio_util::sync::CancellationToken;

use crate::digest::Hasher;
use crate::partial::Partial;
use crate::{Digest, DownloadError, DownloadSpec, LimitedBy, TransferMeter, VerifiedPartial};

/// Received bytes on their way to the writer.
pub(crate) type Batch = Vec<Bytes>;

/// How a writer ended that met no trouble.
#[derive(Debug)]
pub(crate) enum Written {
    /// The whole file is written, synced, and has the pinned hash.
    Verified(VerifiedPartial),
    /// The whole file was written, has another hash, and is removed.
    Mismatch(Digest),
    /// The bytes ended before the file did, or the download was cancelled; what was written is removed.
    Abandoned,
}

/// A running writer: to be ended by [`Self::finish`] or [`Self::abandon`], which wait for its thread.
pub(crate) struct Writer {
    path: PathBuf,
    batches: mpsc::Sender<Batch>,
    hashing: Arc<AtomicBool>,
    abandon: CancellationToken,
    thread: JoinHandle<Result<Written, DownloadError>>,
}

/// The writer ended by itself, which it does only in trouble.
pub(crate) struct WriterEnded;

impl Writer {
    /// Starts a writer on a new partial.
    pub(crate) fn start(spec: &DownloadSpec, cancellation: &CancellationToken) -> Self {
        let (batches, received) = mpsc::channel(spec.limits.batches);
        let hashing = Arc::new(AtomicBool::new(false));
        let abandon = cancellation.child_token();
        let work = Work {
            spec: spec.clone(),
            received,
            hashing: Arc::clone(&hashing),
            abandon: abandon.clone(),
        };
        Self {
            path: spec.partial.clone(),
            batches,
            hashing,
            abandon,
            thread: spawn_blocking(move || work.run()),
        }
    }

    /// Hands over a batch; while the writer has enough to do, waits and tells the meter what for.
    pub(crate) async fn write(
        &self,
        batch: Batch,
        meter: &TransferMeter,
    ) -> Result<(), WriterEnded> {
        let batch = match self.batches.try_send(batch) {
            Ok(()) => return Ok(()),
            Err(mpsc::error::TrySendError::Full(batch)) => batch,
            Err(mpsc::error::TrySendError::Closed(_)) => return Err(WriterEnded),
        };
        let busy_with = if self.hashing.load(Ordering::Relaxed) {
            LimitedBy::Hashing
        } else {
            LimitedBy::Disk
        };
        meter.set_limited_by(Some(busy_with));
        self.batches.send(batch).await.map_err(|_| WriterEnded)
    }

    /// Waits until the writer has ended by itself.
    pub(crate) async fn ended(&self) {
        self.batches.closed().await;
    }

    /// Says that all has come, and waits for the verdict.
    pub(crate) async fn finish(self) -> Result<Written, DownloadError> {
        drop(self.batches);
        match self.thread.await {
            Ok(written) => written,
            Err(panicked) => {
                let error = io::Error::other(panicked);
                Err(DownloadError::from_disk(error, &self.path))
            }
        }
    }

    /// Says that the rest will not come, and waits until nothing of the file is left.
    pub(crate) async fn abandon(self) {
        self.abandon.cancel();
        // Why it is abandoned is what the caller tells; a trouble of the writer beside it is not.
        let _ = self.finish().await;
    }
}

/// What the thread holds.
struct Work {
    spec: DownloadSpec,
    received: mpsc::Receiver<Batch>,
    hashing: Arc<AtomicBool>,
    abandon: CancellationToken,
}

impl Work {
    fn run(mut self) -> Result<Written, DownloadError> {
        let partial = Partial::create(&self.spec.partial)?;
        let hash = self.receive(&partial);
        match hash.map_err(|error| DownloadError::from_disk(error, partial.path()))? {
            None => Ok(Written::Abandoned),
            Some(hash) if hash == self.spec.digest => Ok(Written::Verified(VerifiedPartial::new(
                partial,
                hash,
                self.spec.size_bytes,
            ))),
            Some(hash) => Ok(Written::Mismatch(hash)),
        }
    }

    /// Writes and hashes until all is here and on the disk; `None` if it was abandoned before.
    fn receive(&mut self, partial: &Partial) -> io::Result<Option<Digest>> {
        let size_bytes = self.spec.size_bytes;
        partial.reserve(size_bytes, &self.abandon)?;
        let mut hasher = Hasher::new(self.spec.digest, size_bytes);
        let mut written_bytes = 0;
        let mut unsynced_bytes = 0;
        while let Some(batch) = self.received.blocking_recv() {
            if self.abandon.is_cancelled() {
                return Ok(None);
            }
            let length = write_all(&partial.file, &batch)?;
            written_bytes += length;
            unsynced_bytes += length;
            if unsynced_bytes >= self.spec.limits.unsynced_bytes {
                partial.file.sync_data()?;
                unsynced_bytes = 0;
            }
            self.hashing.store(true, Ordering::Relaxed);
            for chunk in &batch {
                hasher.update(chunk);
            }
            self.hashing.store(false, Ordering::Relaxed);
        }
        if written_bytes != size_bytes || self.abandon.is_cancelled() {
            return Ok(None);
        }
        let digest = hasher.finish();
        if digest == self.spec.digest {
            partial.file.sync_data()?;
        }
        Ok(Some(digest))
    }
}

fn write_all(mut file: &File, batch: &Batch) -> io::Result<u64> {
    let mut slices: Vec<_> = batch.iter().map(|chunk| IoSlice::new(chunk)).collect();
    let mut left = slices.as_mut_slice();
    let mut length = 0;
    while !left.is_empty() {
        match file.write_vectored(left) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                length += written as u64;
                IoSlice::advance_slices(&mut left, written);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}
