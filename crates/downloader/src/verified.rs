//! What a download ends with: a whole file with the pinned hash, ready to be moved to its place.

use std::fs::File;
use std::path::Path;

use crate::ledger::Ledger;
use crate::{Digest, OnEnd};

/// A whole file with the pinned hash, synced to the disk and still locked.
///
/// Dropping it after it was moved to its place removes its record. Dropped before, it is kept or removed as the spec
/// says; kept, the next download finds it whole and only hashes it again. Dropping blocks on the disk.
#[derive(Debug)]
pub struct VerifiedPartial {
    ledger: Box<Ledger>,
    digest: Digest,
    size_bytes: u64,
    on_end: OnEnd,
}

impl VerifiedPartial {
    pub(crate) fn new(ledger: Ledger, digest: Digest, size_bytes: u64, on_end: OnEnd) -> Self {
        Self {
            ledger: Box::new(ledger),
            digest,
            size_bytes,
            on_end,
        }
    }

    /// The open file: what was verified, whatever is at the path by now.
    pub fn file(&self) -> &File {
        &self.ledger.partial.file
    }

    /// Where it was received.
    pub fn path(&self) -> &Path {
        self.ledger.partial.path()
    }

    /// The hash that it has.
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// Gives the file up before it was moved anywhere, and returns the bytes that are kept.
    pub(crate) fn give_up(self) -> u64 {
        match self.on_end {
            OnEnd::Keep => self.size_bytes,
            OnEnd::Discard => 0,
        }
    }

    /// Its size in bytes.
    pub const fn size_bytes(&self) -> u64 {
        self.size_bytes
    }
}

impl Drop for VerifiedPartial {
    fn drop(&mut self) {
        if !self.ledger.partial.is_in_place() {
            self.ledger.remove_record();
            return;
        }
        match self.on_end {
            OnEnd::Keep => self.ledger.keep(),
            OnEnd::Discard => self.ledger.discard(),
        };
    }
}
