//! Why a download ended without a verified file.

use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use crate::{Digest, SourceError, Stall};

/// A download that ended without a verified file.
#[derive(Debug, thiserror::Error)]
#[error("the download ended early, {bytes_kept} bytes are kept")]
pub struct Unfinished {
    /// Why it ended.
    #[source]
    pub reason: DownloadError,
    /// Bytes of the file that are kept and recorded, from which another download goes on; zero if nothing is left.
    pub bytes_kept: u64,
}

impl Unfinished {
    pub(crate) const fn without_bytes(reason: DownloadError) -> Self {
        Self {
            reason,
            bytes_kept: 0,
        }
    }
}

/// Why a download ended.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// The caller cancelled. Nothing of the download runs any more.
    #[error("cancelled")]
    Cancelled,
    /// The source cannot give the bytes, or did not in all its tries.
    #[error("the source failed at try {tries}")]
    Source {
        /// Tries without one new byte, this one included.
        tries: u32,
        /// How the last one ended.
        source: SourceError,
    },
    /// The last try stalled, and so did or failed all before it.
    #[error("stalled at try {tries}: {stall}")]
    Stalled {
        /// Tries without one new byte, this one included.
        tries: u32,
        /// How the last one stalled.
        stall: Stall,
    },
    /// The body goes on after the last byte of the file.
    #[error("more than the expected {expected_bytes} bytes came")]
    SizeMismatch {
        /// The size of the file.
        expected_bytes: u64,
    },
    /// The bytes do not have the pinned hash, nor had they when they were fetched once more from the start.
    #[error("expected hash {expected}, received bytes with {actual}")]
    IntegrityMismatch {
        /// The pinned hash.
        expected: Digest,
        /// The hash of what came the last time.
        actual: Digest,
    },
    /// Another process is writing this partial.
    #[error("another process is writing `{}`", .path.display())]
    InUse {
        /// The partial.
        path: PathBuf,
    },
    /// The disk or the quota is full.
    #[error("the disk is full at `{}`", .path.display())]
    DiskFull {
        /// The partial.
        path: PathBuf,
        /// The error below.
        source: io::Error,
    },
    /// The permissions of the folder do not allow it.
    #[error("no permission to write `{}`", .path.display())]
    PermissionDenied {
        /// The partial.
        path: PathBuf,
        /// The error below.
        source: io::Error,
    },
    /// The file system is read-only.
    #[error("the file system of `{}` is read-only", .path.display())]
    ReadOnly {
        /// The partial.
        path: PathBuf,
        /// The error below.
        source: io::Error,
    },
    /// The disk failed in another way.
    #[error("cannot write `{}`", .path.display())]
    Io {
        /// The partial.
        path: PathBuf,
        /// The error below.
        source: io::Error,
    },
}

impl DownloadError {
    /// Names what went wrong at the disk.
    pub(crate) fn from_disk(source: io::Error, path: &Path) -> Self {
        let path = path.to_owned();
        match Errno::from_io_error(&source) {
            Some(Errno::NOSPC | Errno::DQUOT) => Self::DiskFull { path, source },
            Some(Errno::ACCESS | Errno::PERM) => Self::PermissionDenied { path, source },
            Some(Errno::ROFS) => Self::ReadOnly { path, source },
            _ => Self::Io { path, source },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_disk_says_has_a_name_of_its_own() {
        let named = |errno: Errno| DownloadError::from_disk(errno.into(), Path::new("partial"));
        assert!(matches!(
            named(Errno::NOSPC),
            DownloadError::DiskFull { .. }
        ));
        assert!(matches!(
            named(Errno::DQUOT),
            DownloadError::DiskFull { .. }
        ));
        assert!(matches!(
            named(Errno::ACCESS),
            DownloadError::PermissionDenied { .. }
        ));
        assert!(matches!(
            named(Errno::PERM),
            DownloadError::PermissionDenied { .. }
        ));
        assert!(matches!(named(Errno::ROFS), DownloadError::ReadOnly { .. }));
        assert!(matches!(named(Errno::IO), DownloadError::Io { .. }));
    }
}
