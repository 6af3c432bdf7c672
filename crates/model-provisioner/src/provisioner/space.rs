//! The disk's space that running downloads have planned for: promised before the first byte, given back on every way
//! out.
//!
//! What a blob still needs is its size less the blocks that its partial has on the disk, so that what is written, and
//! what is allocated ahead, counts once. A blob that several downloads need is reserved once.

use std::{
    collections::HashMap,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use downloader::Digest;
use model_store::{ModelStore, RepoFolder};

use super::{failure, planned::Identity};
use crate::ProvisionError;

/// `st_blocks` counts in this unit (`stat(3type)`), whatever the file system's own.
const BLOCK_BYTES: u64 = 512;

/// What all downloads of one hive have reserved on the store's disk. Everything here but the end of a [`Reservation`]
/// blocks on the file system.
#[derive(Debug)]
pub(crate) struct SpaceLedger {
    store: ModelStore,
    /// Held over a whole admission, so that two downloads are not promised the same bytes.
    admission: Mutex<()>,
    entries: Mutex<HashMap<Digest, Entry>>,
}

/// A blob to be written.
#[derive(Clone, Debug)]
pub(crate) struct Need {
    pub(crate) digest: Digest,
    pub(crate) bytes: u64,
    /// Where it is received.
    pub(crate) partial: PathBuf,
}

#[derive(Clone, Debug)]
struct Entry {
    need: Need,
    /// Downloads that wait for it.
    holders: usize,
    /// Whether it is in the store, so that it needs nothing more.
    is_placed: bool,
}

/// Space that is promised until this is dropped.
#[derive(Debug)]
pub(crate) struct Reservation {
    ledger: Arc<SpaceLedger>,
    digests: Vec<Digest>,
}

/// The store's disk at one moment, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Space {
    pub(crate) free_bytes: u64,
    /// Of these, bytes that are promised and not written.
    pub(crate) reserved_bytes: u64,
}

impl SpaceLedger {
    pub(crate) fn new(store: ModelStore) -> Self {
        Self {
            store,
            admission: Mutex::default(),
            entries: Mutex::default(),
        }
    }

    /// What is free, and how much of it is promised.
    pub(crate) fn space(&self) -> Result<Space, ProvisionError> {
        // What is allocated between the two looks then counts as room, never twice as missing.
        let free_bytes = self.store.free_bytes().map_err(failure::of_store)?;
        let entries: Vec<Entry> = self.entries().values().cloned().collect();
        Ok(Space {
            free_bytes,
            reserved_bytes: entries.iter().map(Entry::missing_bytes).sum(),
        })
    }

    /// Promises the space for all of `needs`, or for none.
    pub(crate) fn reserve(self: &Arc<Self>, needs: &[Need]) -> Result<Reservation, ProvisionError> {
        let _admission = self
            .admission
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let Space {
            free_bytes,
            reserved_bytes,
        } = self.space()?;
        let mut fresh: HashMap<Digest, &Need> =
            needs.iter().map(|need| (need.digest, need)).collect();
        fresh.retain(|digest, _| !self.entries().contains_key(digest));
        let needed_bytes: u64 = fresh.values().map(|need| need.missing_bytes()).sum();
        if needed_bytes > free_bytes.saturating_sub(reserved_bytes) {
            return Err(ProvisionError::InsufficientStorage {
                needed_bytes,
                free_bytes,
                reserved_bytes,
            });
        }
        let mut digests = Vec::with_capacity(needs.len());
        let mut entries = self.entries();
        for need in needs {
            // Several files of one download may be one blob.
            if digests.contains(&need.digest) {
                continue;
            }
            let entry = entries.entry(need.digest).or_insert_with(|| Entry {
                need: need.clone(),
                holders: 0,
                is_placed: false,
            });
            entry.holders += 1;
            digests.push(need.digest);
        }
        drop(entries);
        Ok(Reservation {
            ledger: Arc::clone(self),
            digests,
        })
    }

    /// A blob is received here, wherever it was expected.
    pub(crate) fn is_received_at(&self, digest: Digest, partial: &Path) {
        if let Some(entry) = self.entries().get_mut(&digest) {
            partial.clone_into(&mut entry.need.partial);
            entry.is_placed = false;
        }
    }

    /// A blob is in the store: what it needed, it has.
    pub(crate) fn is_placed(&self, digest: Digest) {
        if let Some(entry) = self.entries().get_mut(&digest) {
            entry.is_placed = true;
        }
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<Digest, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Need {
    /// What a file of a repository needs.
    pub(crate) fn new(identity: &Identity, folder: &RepoFolder) -> Self {
        Self {
            digest: identity.digest,
            bytes: identity.bytes,
            partial: folder.partial_path(&identity.blob),
        }
    }

    /// Bytes that the disk must still give. A partial that cannot be looked at has none of them.
    pub(crate) fn missing_bytes(&self) -> u64 {
        let allocated = fs::symlink_metadata(&self.partial)
            .ok()
            .filter(fs::Metadata::is_file)
            .map_or(0, |partial| partial.blocks().saturating_mul(BLOCK_BYTES));
        self.bytes.saturating_sub(allocated)
    }
}

impl Entry {
    fn missing_bytes(&self) -> u64 {
        if self.is_placed {
            return 0;
        }
        self.need.missing_bytes()
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut entries = self.ledger.entries();
        for digest in &self.digests {
            let is_last = entries.get_mut(digest).is_none_or(|entry| {
                entry.holders = entry.holders.saturating_sub(1);
                entry.holders == 0
            });
            if is_last {
                entries.remove(digest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn ledger(folder: &TempDir) -> Arc<SpaceLedger> {
        Arc::new(SpaceLedger::new(ModelStore::new(folder.path())))
    }

    fn need(folder: &TempDir, name: u8, bytes: u64) -> Need {
        Need {
            digest: Digest::Sha256([name; 32]),
            bytes,
            partial: folder.path().join(format!("{name}.hive-partial")),
        }
    }

    fn reserved(ledger: &SpaceLedger) -> u64 {
        ledger.space().unwrap().reserved_bytes
    }

    #[test]
    fn d21_what_is_promised_to_one_is_not_promised_to_another_until_it_is_given_back() {
        let folder = TempDir::new().unwrap();
        let ledger = ledger(&folder);
        let free = ledger.space().unwrap().free_bytes;
        let most = ledger
            .reserve(&[need(&folder, 1, free - 1_000_000)])
            .unwrap();
        match ledger.reserve(&[need(&folder, 2, free / 2)]).unwrap_err() {
            ProvisionError::InsufficientStorage {
                needed_bytes,
                reserved_bytes,
                ..
            } => assert_eq!((needed_bytes, reserved_bytes), (free / 2, free - 1_000_000)),
            other => panic!("{other:?}"),
        }
        drop(most);
        assert_eq!(reserved(&ledger), 0);
        ledger.reserve(&[need(&folder, 2, free / 2)]).unwrap();
    }

    #[test]
    fn a_blob_that_several_need_is_reserved_once_until_the_last_gives_it_back() {
        let folder = TempDir::new().unwrap();
        let ledger = ledger(&folder);
        let blob = need(&folder, 1, 1000);
        let twice = [blob.clone(), blob.clone()];
        let first = ledger.reserve(&twice).unwrap();
        let second = ledger.reserve(&[blob]).unwrap();
        assert_eq!(reserved(&ledger), 1000);
        drop(first);
        assert_eq!(reserved(&ledger), 1000);
        drop(second);
        assert_eq!(reserved(&ledger), 0);
    }

    #[test]
    fn what_is_written_needs_no_more_space() {
        let folder = TempDir::new().unwrap();
        let ledger = ledger(&folder);
        let blob = need(&folder, 1, 3 * 1024 * 1024);
        let _held = ledger.reserve(std::slice::from_ref(&blob)).unwrap();
        fs::write(&blob.partial, vec![1; 1024 * 1024]).unwrap();
        assert!(reserved(&ledger) <= 2 * 1024 * 1024);

        let elsewhere = folder.path().join("elsewhere.hive-partial");
        ledger.is_received_at(blob.digest, &elsewhere);
        assert_eq!(reserved(&ledger), 3 * 1024 * 1024);
        ledger.is_placed(blob.digest);
        assert_eq!(reserved(&ledger), 0);
    }
}
