//! What the writer's thread does: open, hash again what is kept, write, hash along the front, and settle the end.

use std::fs::File;
use std::io::{self, IoSlice};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;

use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::{Batch, Signals, Written};
use crate::digest::Hasher;
use crate::ledger::Ledger;
use crate::partial::Partial;
use crate::record::Identity;
use crate::segments::Segments;
use crate::{Digest, DownloadError, DownloadSpec, OnEnd, Unfinished, VerifiedPartial};

/// How much is read back at once to be hashed.
const READ_BACK_BYTES: usize = 256 * 1024;

/// What the thread holds.
pub(super) struct Work {
    pub(super) spec: DownloadSpec,
    pub(super) tell_opened: Option<oneshot::Sender<Segments>>,
    pub(super) tell_ready: Option<oneshot::Sender<()>>,
    pub(super) received: mpsc::Receiver<Batch>,
    pub(super) signals: Arc<Signals>,
    pub(super) abandon: CancellationToken,
    pub(super) buffer: Vec<u8>,
}

/// The hash along the front of the file.
struct Front {
    hasher: Hasher,
    hashed_bytes: u64,
}

/// Ends the syncing thread, also when the writing one panics.
struct EndSyncing<'a>(&'a Ledger);

impl Drop for EndSyncing<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl Work {
    pub(super) fn run(mut self) -> Result<Written, Unfinished> {
        let identity = Identity {
            digest: self.spec.digest,
            size_bytes: self.spec.size_bytes,
            boot_id: self.spec.boot_id.clone(),
        };
        let (partial, claims) =
            Partial::open(&self.spec.partial, &identity).map_err(Unfinished::without_bytes)?;
        let ledger = Ledger::new(partial, claims, identity, &self.spec.limits);
        let digest = thread::scope(|scope| {
            let _ended_in_any_case = EndSyncing(&ledger);
            thread::Builder::new()
                .name("partial-sync".to_owned())
                .spawn_scoped(scope, || ledger.keep_synced())?;
            self.receive(&ledger)
        });
        // Nobody can hand anything over any more.
        self.received.close();
        self.settle(digest, ledger)
    }

    fn settle(
        &self,
        digest: io::Result<Option<Digest>>,
        ledger: Ledger,
    ) -> Result<Written, Unfinished> {
        let verified = |digest: Digest| ledger.sync().map(|_| digest);
        match digest {
            Ok(Some(digest)) if digest != self.spec.digest => {
                ledger.discard();
                Ok(Written::Mismatch(digest))
            }
            Ok(Some(digest)) => match verified(digest) {
                Ok(digest) => Ok(Written::Verified(VerifiedPartial::new(
                    ledger,
                    digest,
                    self.spec.size_bytes,
                    self.on_end(),
                ))),
                Err(error) => Err(self.failed(error, self.leave(&ledger))),
            },
            Ok(None) => Ok(Written::Stopped {
                bytes_kept: self.leave(&ledger),
            }),
            Err(error) => Err(self.failed(error, self.leave(&ledger))),
        }
    }

    fn leave(&self, ledger: &Ledger) -> u64 {
        match self.on_end() {
            OnEnd::Keep => ledger.keep(),
            OnEnd::Discard => ledger.discard(),
        }
    }

    fn on_end(&self) -> OnEnd {
        if self.signals.discard.load(Ordering::Relaxed) {
            OnEnd::Discard
        } else {
            self.spec.on_end
        }
    }

    fn failed(&self, error: io::Error, bytes_kept: u64) -> Unfinished {
        let reason = DownloadError::from_disk(error, &self.spec.partial);
        Unfinished { reason, bytes_kept }
    }

    /// Writes and hashes until all is here; `None` if it was abandoned before.
    fn receive(&mut self, ledger: &Ledger) -> io::Result<Option<Digest>> {
        let size_bytes = self.spec.size_bytes;
        let mut front = Front {
            hasher: Hasher::new(self.spec.digest, size_bytes),
            hashed_bytes: 0,
        };
        self.buffer.resize(READ_BACK_BYTES, 0);
        let here = ledger.written();
        let kept = here.front();
        if let Some(opened) = self.tell_opened.take() {
            let _ = opened.send(here);
        }
        while front.hashed_bytes < kept && !self.abandon.is_cancelled() {
            self.read_back(&mut front, ledger, kept)?;
        }
        if let Some(ready) = self.tell_ready.take() {
            let _ = ready.send(());
        }
        ledger.partial.reserve(size_bytes, &self.abandon)?;
        while let Some(mut batch) = self.next_batch(&mut front, ledger)? {
            let length = self.take(&mut batch, &mut front, ledger)?;
            // Twice what came, so that a hash that fell behind comes closer with every batch.
            let goal = front.hashed_bytes.saturating_add(length * 2);
            self.catch_up(&mut front, ledger, goal)?;
        }
        // What came before the end was called is kept.
        while let Ok(mut batch) = self.received.try_recv() {
            self.take(&mut batch, &mut front, ledger)?;
        }
        self.catch_up(&mut front, ledger, size_bytes)?;
        if front.hashed_bytes < size_bytes || self.abandon.is_cancelled() {
            return Ok(None);
        }
        Ok(Some(front.hasher.finish()))
    }

    /// The next batch; while there is none, the hash comes closer to what is written. `None`: no more will come, or
    /// they are not wanted any more.
    fn next_batch(&mut self, front: &mut Front, ledger: &Ledger) -> io::Result<Option<Batch>> {
        loop {
            if self.abandon.is_cancelled() {
                return Ok(None);
            }
            let written = ledger.written_from(front.hashed_bytes);
            if written == front.hashed_bytes {
                return Ok(self.received.blocking_recv());
            }
            match self.received.try_recv() {
                Ok(batch) => return Ok(Some(batch)),
                Err(TryRecvError::Disconnected) => return Ok(None),
                Err(TryRecvError::Empty) => self.read_back(front, ledger, written)?,
            }
        }
    }

    /// Writes a batch, and hashes it while it is at hand if it comes at the front. What is hashed is never written
    /// again.
    fn take(&self, batch: &mut Batch, front: &mut Front, ledger: &Ledger) -> io::Result<u64> {
        batch.skip_to(front.hashed_bytes);
        let length = write_all(&ledger.partial.file, batch)?;
        if batch.offset == front.hashed_bytes {
            self.signals.is_hashing.store(true, Ordering::Relaxed);
            for chunk in &batch.chunks {
                front.hasher.update(chunk);
            }
            self.signals.is_hashing.store(false, Ordering::Relaxed);
            self.hashed(front, length);
        }
        ledger.wrote(batch.offset..batch.offset + length)?;
        Ok(length)
    }

    /// Hashes what is written at the front, up to `goal`.
    fn catch_up(&mut self, front: &mut Front, ledger: &Ledger, goal: u64) -> io::Result<()> {
        let written = ledger.written_from(front.hashed_bytes).min(goal);
        while front.hashed_bytes < written && !self.abandon.is_cancelled() {
            self.read_back(front, ledger, written)?;
        }
        Ok(())
    }

    /// Hashes one piece of what is written.
    fn read_back(&mut self, front: &mut Front, ledger: &Ledger, goal: u64) -> io::Result<()> {
        let left = usize::try_from(goal - front.hashed_bytes).unwrap_or(usize::MAX);
        let piece = &mut self.buffer[..left.min(READ_BACK_BYTES)];
        self.signals.is_hashing.store(true, Ordering::Relaxed);
        ledger
            .partial
            .file
            .read_exact_at(piece, front.hashed_bytes)?;
        front.hasher.update(piece);
        self.signals.is_hashing.store(false, Ordering::Relaxed);
        let length = piece.len() as u64;
        self.hashed(front, length);
        Ok(())
    }

    fn hashed(&self, front: &mut Front, length: u64) {
        front.hashed_bytes += length;
        let hashed = &self.signals.hashed_bytes;
        hashed.store(front.hashed_bytes, Ordering::Relaxed);
    }
}

fn write_all(file: &File, batch: &Batch) -> io::Result<u64> {
    let mut slices: Vec<_> = batch
        .chunks
        .iter()
        .map(|chunk| IoSlice::new(chunk))
        .collect();
    let mut left = slices.as_mut_slice();
    let mut length = 0;
    while !left.is_empty() {
        match rustix::io::pwritev(file, left, batch.offset + length) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                length += written as u64;
                IoSlice::advance_slices(&mut left, written);
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(length)
}
