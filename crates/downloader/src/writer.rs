//! The one thread that writes and hashes what is received, off the async workers.

mod work;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::{Buf, Bytes};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio_util::sync::{CancellationToken, DropGuard};

use self::work::Work;
use crate::segments::Segments;
use crate::{Digest, DownloadError, DownloadSpec, LimitedBy, OnEnd, Unfinished, VerifiedPartial};

/// Received bytes on their way to the writer: consecutive ones from `offset` on.
pub(crate) struct Batch {
    pub(crate) offset: u64,
    pub(crate) chunks: Vec<Bytes>,
}

impl Batch {
    /// Drops what is before `offset`.
    fn skip_to(&mut self, offset: u64) {
        while self.offset < offset && !self.chunks.is_empty() {
            let before = usize::try_from(offset - self.offset).unwrap_or(usize::MAX);
            let dropped = before.min(self.chunks[0].len());
            self.chunks[0].advance(dropped);
            self.offset += dropped as u64;
            if self.chunks[0].is_empty() {
                self.chunks.remove(0);
            }
        }
    }
}

/// How a writer ended that met no trouble.
#[derive(Debug)]
pub(crate) enum Written {
    /// The whole file is written, synced, and has the pinned hash.
    Verified(VerifiedPartial),
    /// The whole file was written, has another hash, and is removed.
    Mismatch(Digest),
    /// The bytes ended before the file did, or the download was cancelled; so many are kept.
    Stopped { bytes_kept: u64 },
}

/// A running writer: to be ended by [`Self::finish`] or [`Self::abandon`], which wait for its thread.
pub(crate) struct Writer {
    path: PathBuf,
    batches: mpsc::Sender<Batch>,
    signals: Arc<Signals>,
    abandon: DropGuard,
    thread: JoinHandle<Result<Written, Unfinished>>,
}

/// How far a writer is before it takes batches.
pub(crate) struct Opening {
    opened: oneshot::Receiver<Segments>,
    ready: oneshot::Receiver<()>,
}

/// What the writer's thread and the download tell each other without waiting.
#[derive(Default)]
struct Signals {
    is_hashing: AtomicBool,
    hashed_bytes: AtomicU64,
    discard: AtomicBool,
}

/// Room for one batch.
pub(crate) struct Room<'a>(mpsc::Permit<'a, Batch>);

impl Room<'_> {
    /// Hands over a batch: from now on it is the writer's.
    pub(crate) fn write(self, batch: Batch) {
        self.0.send(batch);
    }
}

/// The writer ended by itself, which it does only in trouble.
pub(crate) struct WriterEnded;

impl Writer {
    /// Starts a writer on the spec's partial.
    pub(crate) fn start(spec: &DownloadSpec, cancellation: &CancellationToken) -> (Self, Opening) {
        let (batches, received) = mpsc::channel(spec.limits.batches);
        let (tell_opened, opened) = oneshot::channel();
        let (tell_ready, ready) = oneshot::channel();
        let signals = Arc::new(Signals::default());
        let abandon = cancellation.child_token();
        let work = Work {
            spec: spec.clone(),
            tell_opened: Some(tell_opened),
            tell_ready: Some(tell_ready),
            received,
            signals: Arc::clone(&signals),
            abandon: abandon.clone(),
            buffer: Vec::new(),
        };
        let writer = Self {
            path: spec.partial.clone(),
            batches,
            signals,
            abandon: abandon.drop_guard(),
            thread: spawn_blocking(move || work.run()),
        };
        (writer, Opening { opened, ready })
    }

    /// Waits until the writer has room for a batch.
    pub(crate) async fn room(&self) -> Result<Room<'_>, WriterEnded> {
        let room = self.batches.reserve().await;
        room.map(Room).map_err(|_| WriterEnded)
    }

    /// What the writer is busy with, for one who waits for it.
    pub(crate) fn busy_with(&self) -> LimitedBy {
        if self.signals.is_hashing.load(Ordering::Relaxed) {
            LimitedBy::Hashing
        } else {
            LimitedBy::Disk
        }
    }

    /// How far the file is hashed.
    pub(crate) fn hashed_bytes(&self) -> u64 {
        self.signals.hashed_bytes.load(Ordering::Relaxed)
    }

    /// Waits until the writer has ended by itself.
    pub(crate) async fn ended(&self) {
        self.batches.closed().await;
    }

    /// Says that all has come, and waits for the verdict.
    pub(crate) async fn finish(self) -> Result<Written, Unfinished> {
        drop(self.batches);
        let written = self.thread.await;
        self.abandon.disarm();
        written.unwrap_or_else(|panicked| {
            let error = io::Error::other(panicked);
            let reason = DownloadError::from_disk(error, &self.path);
            Err(Unfinished::without_bytes(reason))
        })
    }

    /// Says that the rest will not come, and waits until nothing runs any more. Returns the bytes that are kept.
    pub(crate) async fn abandon(self, on_end: OnEnd) -> u64 {
        if on_end == OnEnd::Discard {
            self.signals.discard.store(true, Ordering::Relaxed);
        }
        drop(self.batches);
        drop(self.abandon);
        // Why it is abandoned is what the caller tells; a trouble of the writer beside it is not.
        match self.thread.await {
            Ok(Ok(Written::Stopped { bytes_kept }) | Err(Unfinished { bytes_kept, .. })) => {
                bytes_kept
            }
            Ok(Ok(Written::Verified(verified))) => verified.give_up(),
            Ok(Ok(Written::Mismatch(_))) | Err(_) => 0,
        }
    }
}

impl Opening {
    /// Waits until the partial is open and what it holds from an earlier download is hashed again; `tell` is told
    /// what that is before it is hashed.
    pub(crate) async fn ready(self, tell: impl FnOnce(&Segments)) -> Result<Segments, WriterEnded> {
        let here = self.opened.await.map_err(|_| WriterEnded)?;
        tell(&here);
        self.ready.await.map_err(|_| WriterEnded)?;
        Ok(here)
    }
}
