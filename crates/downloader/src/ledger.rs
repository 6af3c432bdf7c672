//! What of a partial is written, what is on the disk, and what its record says of both.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::io::Errno;
use tokio::time::Instant;

use crate::Limits;
use crate::partial::Partial;
use crate::record::{Claims, Identity, NewRecord, RecordFile};
use crate::segments::Segments;

/// The books of one partial. One thread writes to the file and says so here; another syncs beside it, so that
/// reception does not stop for the disk until it is behind by the limit.
#[derive(Debug)]
pub(crate) struct Ledger {
    pub(crate) partial: Partial,
    identity: Identity,
    unsynced_limit_bytes: u64,
    record_every_bytes: u64,
    checkpoint_every: Duration,
    state: Mutex<State>,
    changed: Condvar,
    /// Held by the one of the two threads that makes a new record: it has one place for it.
    renewal: Mutex<()>,
}

/// A checkpoint that is written, and not yet the record.
struct Renewal<'a> {
    ledger: &'a Ledger,
    new: NewRecord,
    synced: Segments,
    _only: MutexGuard<'a, ()>,
}

#[derive(Debug)]
struct State {
    written: Segments,
    synced: Segments,
    record: RecordFile,
    /// Bytes that the record claims.
    recorded_bytes: u64,
    unrecorded_bytes: u64,
    /// Bytes written, all in all, and how many of them were when the last sync that has ended began.
    written_count: u64,
    synced_count: u64,
    /// Why the disk takes no more.
    failed: Option<Errno>,
    /// A sync failed: what it left in the file cannot be known, and syncing again would hide it.
    lost_sync: bool,
    is_ended: bool,
}

impl Ledger {
    pub(crate) fn new(
        partial: Partial,
        claims: Option<Claims>,
        identity: Identity,
        limits: &Limits,
    ) -> Self {
        let (written, synced) =
            claims.map_or_else(Default::default, |claims| (claims.segments, claims.synced));
        let record = RecordFile::beside(partial.path());
        Self {
            partial,
            identity,
            unsynced_limit_bytes: limits.unsynced_bytes,
            record_every_bytes: limits.record_bytes,
            checkpoint_every: limits.checkpoint,
            state: Mutex::new(State {
                recorded_bytes: written.bytes(),
                unrecorded_bytes: 0,
                written_count: written.bytes() - synced.bytes(),
                synced_count: 0,
                written,
                synced,
                record,
                failed: None,
                lost_sync: false,
                is_ended: false,
            }),
            changed: Condvar::new(),
            renewal: Mutex::default(),
        }
    }

    pub(crate) fn written(&self) -> Segments {
        self.state().written.clone()
    }

    /// How far everything from `offset` on is written.
    pub(crate) fn written_from(&self, offset: u64) -> u64 {
        self.state().written.run_from(offset)
    }

    /// Bytes were written to the file. Records them when they are enough, and waits while too many are unsynced.
    pub(crate) fn wrote(&self, range: Range<u64>) -> io::Result<()> {
        let mut state = self.state();
        let length = range.end - range.start;
        state.written.insert(range);
        state.written_count += length;
        state.unrecorded_bytes += length;
        if state.unrecorded_bytes >= self.record_every_bytes {
            self.write_record(&mut state)?;
        }
        if state.unsynced_bytes() >= self.unsynced_limit_bytes / 2 {
            self.changed.notify_all();
        }
        let is_behind = |state: &mut State| {
            state.unsynced_bytes() >= self.unsynced_limit_bytes && state.failed.is_none()
        };
        let state = self.changed.wait_while(state, is_behind);
        let state = state.unwrap_or_else(PoisonError::into_inner);
        state.failed.map_or(Ok(()), |error| Err(error.into()))
    }

    /// Syncs what is written, beside the thread that writes, until [`Self::end`].
    pub(crate) fn keep_synced(&self) {
        let mut checkpointed = Instant::now();
        loop {
            let due = self.checkpoint_every.saturating_sub(checkpointed.elapsed());
            let half = self.unsynced_limit_bytes / 2;
            let is_idle = |state: &mut State| !state.is_ended && state.unsynced_bytes() < half;
            let waited = self.changed.wait_timeout_while(self.state(), due, is_idle);
            let (state, waited) = waited.unwrap_or_else(PoisonError::into_inner);
            if state.is_ended {
                return;
            }
            let has_news = state.unsynced_bytes() > 0;
            drop(state);
            let is_due = waited.timed_out() || checkpointed.elapsed() >= self.checkpoint_every;
            let synced = match (has_news, is_due) {
                (true, true) => self.checkpoint(),
                (true, false) => self.sync().map(drop),
                (false, _) => Ok(()),
            };
            if is_due {
                checkpointed = Instant::now();
            }
            if let Err(error) = synced {
                let errno = Errno::from_io_error(&error).unwrap_or(Errno::IO);
                self.state().failed = Some(errno);
                self.changed.notify_all();
                return;
            }
        }
    }

    /// Ends [`Self::keep_synced`].
    pub(crate) fn end(&self) {
        self.state().is_ended = true;
        self.changed.notify_all();
    }

    /// Syncs the file and says what was written when that began.
    pub(crate) fn sync(&self) -> io::Result<Segments> {
        let state = self.state();
        let (written, count) = (state.written.clone(), state.written_count);
        drop(state);
        if let Err(error) = self.partial.file.sync_data() {
            let mut state = self.state();
            state.failed = Errno::from_io_error(&error).or(Some(Errno::IO));
            state.lost_sync = true;
            return Err(error);
        }
        self.state().synced_count = count;
        self.changed.notify_all();
        Ok(written)
    }

    /// Leaves the file and a record of what is in it, on the disk. Returns the bytes that are kept: none of a file that
    /// the disk failed, or that could not be recorded, and then it is removed.
    pub(crate) fn keep(&self) -> u64 {
        let is_failing = |error: Errno| !matches!(error, Errno::NOSPC | Errno::DQUOT);
        let state = self.state();
        let (failed, written, is_synced) = (state.failed, state.written.bytes(), !state.lost_sync);
        drop(state);
        if failed.is_some_and(is_failing) || written == 0 {
            return self.discard();
        }
        if !self.partial.is_in_place() {
            return 0;
        }
        let flushed = if is_synced { self.flush() } else { Ok(()) };
        let errno = flushed.err().and_then(|error| Errno::from_io_error(&error));
        if errno.is_some_and(is_failing) {
            return self.discard();
        }
        let kept = self.settle_record();
        if kept == 0 {
            return self.discard();
        }
        kept
    }

    /// The bytes that the record claims in the end: where the disk was too full for a sync, those of an earlier one.
    fn settle_record(&self) -> u64 {
        let mut state = self.state();
        if !state.lost_sync {
            return state.recorded_bytes;
        }
        match state.record.keep_checkpoint() {
            Ok(()) => state.synced.bytes(),
            Err(_) => 0,
        }
    }

    /// Removes the file and its record. What cannot be removed is found without a proof and removed later.
    pub(crate) fn discard(&self) -> u64 {
        let _ = self.partial.discard(&mut self.state().record);
        0
    }

    /// Removes the record of a file that became a blob.
    pub(crate) fn remove_record(&self) {
        let _ = self.state().record.remove();
    }

    fn flush(&self) -> io::Result<()> {
        let mut state = self.state();
        if state.unrecorded_bytes > 0 {
            self.write_record(&mut state)?;
        }
        if state.synced == state.written {
            return Ok(());
        }
        drop(state);
        self.checkpoint()
    }

    /// Records what is written, in a record that is begun if there is none from this download yet. One that is being
    /// made beside this will say it too.
    fn write_record(&self, state: &mut State) -> io::Result<()> {
        if !state.record.append(&state.written)? {
            let Some(_only) = self.renewal.try_lock().ok() else {
                return Ok(());
            };
            let new = NewRecord::write(self.partial.path(), &self.identity, &state.synced)?;
            new.take_place(&mut state.record, &state.written)?;
        }
        state.is_recorded();
        Ok(())
    }

    /// Syncs the file, then replaces the record by one that says so.
    fn checkpoint(&self) -> io::Result<()> {
        let synced = self.sync()?;
        self.renew(synced)?.take_place()?;
        let folder = self.partial.path().parent();
        folder.map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    }

    /// Begins a new record. Others go on while the disk takes it.
    fn renew(&self, synced: Segments) -> io::Result<Renewal<'_>> {
        let only = self.renewal.lock().unwrap_or_else(PoisonError::into_inner);
        let new = NewRecord::write(self.partial.path(), &self.identity, &synced)?;
        Ok(Renewal {
            ledger: self,
            new,
            synced,
            _only: only,
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    const fn unsynced_bytes(&self) -> u64 {
        self.written_count - self.synced_count
    }

    fn is_recorded(&mut self) {
        self.recorded_bytes = self.written.bytes();
        self.unrecorded_bytes = 0;
    }
}

impl Renewal<'_> {
    /// Becomes the record, with what is written by now.
    fn take_place(self) -> io::Result<()> {
        let mut guard = self.ledger.state();
        let state = &mut *guard;
        self.new.take_place(&mut state.record, &state.written)?;
        state.synced = self.synced;
        state.is_recorded();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;
    use crate::BootId;

    /// A file of a hundred bytes, recorded with every byte.
    fn ledger_in(folder: &TempDir) -> (Ledger, Identity) {
        let path = folder.path().join("blob.hive-partial");
        let identity = Identity {
            digest: crate::Digest::from_hex(&"1".repeat(64)).unwrap(),
            size_bytes: 100,
            boot_id: BootId::of_this_machine(),
        };
        let limits = Limits {
            record_bytes: 1,
            ..Limits::default()
        };
        let (partial, claims) = Partial::open(&path, &identity).unwrap();
        let ledger = Ledger::new(partial, claims, identity.clone(), &limits);
        (ledger, identity)
    }

    fn claimed_bytes(folder: &TempDir, identity: &Identity) -> u64 {
        let record = fs::read_to_string(folder.path().join("blob.hive-partial.json")).unwrap();
        identity.claims(&record).unwrap().segments.bytes()
    }

    #[test]
    fn a_checkpoint_and_the_first_record_do_not_take_each_others_file() {
        let folder = TempDir::new().unwrap();
        let (ledger, identity) = ledger_in(&folder);

        let checkpoint = ledger.renew(Segments::default()).unwrap();
        ledger.wrote(0..10).unwrap();
        checkpoint.take_place().unwrap();

        assert_eq!(claimed_bytes(&folder, &identity), 10);
    }

    #[test]
    fn d21_a_full_disk_in_a_sync_keeps_what_an_earlier_one_made_certain() {
        let folder = TempDir::new().unwrap();
        let (ledger, identity) = ledger_in(&folder);
        ledger.wrote(0..50).unwrap();
        ledger.checkpoint().unwrap();
        ledger.wrote(50..80).unwrap();
        assert_eq!(claimed_bytes(&folder, &identity), 80);

        let mut state = ledger.state();
        state.failed = Some(Errno::NOSPC);
        state.lost_sync = true;
        drop(state);

        assert_eq!(ledger.keep(), 50);
        assert_eq!(claimed_bytes(&folder, &identity), 50);
    }
}
