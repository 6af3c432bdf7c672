//! What can go wrong in the store.

use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use crate::BlobName;

/// Why the store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Something stands where a folder of the store must be: a symbolic link, a file.
    #[error("`{}` is not a folder of the store", .path.display())]
    Tampered {
        /// What was found.
        path: PathBuf,
    },
    /// The partial at this path is not the file that was verified: another process put its own there.
    #[error("`{}` was replaced by another process", .path.display())]
    PartialReplaced {
        /// The partial.
        path: PathBuf,
    },
    /// A blob that is to be linked is not in the store.
    #[error("blob {blob} is not in the store")]
    BlobMissing {
        /// The blob.
        blob: BlobName,
    },
    /// The disk or the quota is full.
    #[error("the disk is full at `{}`", .path.display())]
    DiskFull {
        /// What was written.
        path: PathBuf,
        /// The error below.
        source: io::Error,
    },
    /// The permissions do not allow it.
    #[error("no permission for `{}`", .path.display())]
    PermissionDenied {
        /// What was read or written.
        path: PathBuf,
        /// The error below.
        source: io::Error,
    },
    /// The file system is read-only.
    #[error("the file system of `{}` is read-only", .path.display())]
    ReadOnly {
        /// What was written.
        path: PathBuf,
        /// The error below.
        source: io::Error,
    },
    /// The file system has no symbolic links, which the Hub's layout is made of.
    #[error("no symbolic link can be made at `{}`", .path.display())]
    NoLinks {
        /// Where one was to be made.
        path: PathBuf,
        /// The error below.
        source: io::Error,
    },
    /// The disk failed in another way.
    #[error("cannot read or write `{}`", .path.display())]
    Io {
        /// What was read or written.
        path: PathBuf,
        /// The error below.
        source: io::Error,
    },
}

impl StoreError {
    /// Names what went wrong at `path`.
    pub(crate) fn at(path: &Path, source: impl Into<io::Error>) -> Self {
        let path = path.to_owned();
        let source = source.into();
        match Errno::from_io_error(&source) {
            Some(Errno::NOSPC | Errno::DQUOT) => Self::DiskFull { path, source },
            Some(Errno::ACCESS | Errno::PERM) => Self::PermissionDenied { path, source },
            Some(Errno::ROFS) => Self::ReadOnly { path, source },
            Some(Errno::LOOP | Errno::NOTDIR | Errno::ISDIR) => Self::Tampered { path },
            _ => Self::Io { path, source },
        }
    }

    /// Names why no symbolic link was made at `path`: `EPERM` says that the file system has none (symlink(2)).
    pub(crate) fn at_link(path: &Path, error: Errno) -> Self {
        match error {
            Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS => Self::NoLinks {
                path: path.to_owned(),
                source: error.into(),
            },
            error => Self::at(path, error),
        }
    }
}
