//! Doors for the fuzz targets (`fuzz/`), there only in their builds: what reads a record that anybody may have written.

use std::ops::Range;

use crate::record::{Claims, Identity, progress};
use crate::segments::Segments;
use crate::{BootId, Digest};

/// What a record proves, as numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Bytes that are in the file, in stretches.
    pub segments: Vec<Range<u64>>,
    /// Of these, bytes that are on the disk.
    pub synced: Vec<Range<u64>>,
    /// Whether the machine runs since the record was written.
    pub is_same_boot: bool,
}

/// The file that a record is read for.
#[derive(Debug)]
pub struct RecordReader(Identity);

impl RecordReader {
    /// A file of so many bytes with this hash, on this boot.
    pub fn new(digest: Digest, size_bytes: u64, boot_id: BootId) -> Self {
        Self(Identity {
            digest,
            size_bytes,
            boot_id,
        })
    }

    /// What `text` proves of the file; `None` if it is no record of it.
    pub fn read(&self, text: &str) -> Option<Proof> {
        let Claims {
            segments,
            synced,
            is_same_boot,
        } = self.0.claims(text)?;
        Some(Proof {
            segments: segments.iter().cloned().collect(),
            synced: synced.iter().cloned().collect(),
            is_same_boot,
        })
    }

    /// The record that says this, as a download writes it; `None` for stretches that are not in order.
    pub fn write(&self, proof: &Proof) -> Option<Vec<u8>> {
        let synced = Segments::from_sorted(proof.synced.clone())?;
        let segments = Segments::from_sorted(proof.segments.clone())?;
        let checkpoint = self.0.checkpoint(&synced);
        Some([checkpoint, progress(&segments)].concat())
    }
}
