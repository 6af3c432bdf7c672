//! The file on disk into which bytes are received: ours alone, and gone unless it is verified and placed.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, FlockOperation, OFlags};
use rustix::io::Errno;
use tokio_util::sync::CancellationToken;

use crate::{Digest, DownloadError};

/// A new, locked, empty file. Dropping it removes it from the disk, wherever it has not been moved away.
///
/// Two processes never write to one file: each creates its own, which cannot succeed twice at one path, and takes
/// another's away only after it got the lock that the other would hold. Where locks do nothing, the one whose file
/// was taken away finds another file at its path and does not place it.
#[derive(Debug)]
pub(crate) struct Partial {
    pub(crate) file: File,
    path: PathBuf,
}

impl Partial {
    /// Creates the file, in place of one that nobody holds.
    pub(crate) fn create(path: &Path) -> Result<Self, DownloadError> {
        // Each round begins with what another process did since the last one, so that few are ever needed.
        for _ in 0..8 {
            let created = create_new(path);
            match created {
                Ok(file) => match lock(file, path)? {
                    Locked::Ours(file) => {
                        let path = path.to_owned();
                        return Ok(Self { file, path });
                    }
                    Locked::Held => break,
                    Locked::Moved => {}
                },
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    if !remove_stale(path)? {
                        break;
                    }
                }
                Err(error) => return Err(DownloadError::from_disk(error, path)),
            }
        }
        let path = path.to_owned();
        Err(DownloadError::InUse { path })
    }

    /// Reserves the disk space of the whole file, step by step so that it can be stopped. The size stays as it is.
    /// Only a full disk is an error: not every file system can reserve.
    pub(crate) fn reserve(
        &self,
        size_bytes: u64,
        cancellation: &CancellationToken,
    ) -> io::Result<()> {
        const STEP_BYTES: u64 = 256 * 1024 * 1024;
        let mut offset = 0;
        while offset < size_bytes && !cancellation.is_cancelled() {
            let length = STEP_BYTES.min(size_bytes - offset);
            match rustix::fs::fallocate(&self.file, FallocateFlags::KEEP_SIZE, offset, length) {
                Ok(()) => offset += length,
                Err(Errno::INTR) => {}
                Err(error @ (Errno::NOSPC | Errno::DQUOT)) => return Err(error.into()),
                Err(_) => return Ok(()),
            }
        }
        Ok(())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if is_at(&self.file, &self.path).unwrap_or(false) {
            // What cannot be removed now is taken away when the file is fetched again.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A whole file with the pinned hash, synced to the disk and still locked. Dropping it before it has been moved to
/// its place removes it, which blocks on the file system.
#[derive(Debug)]
pub struct VerifiedPartial {
    partial: Partial,
    digest: Digest,
    size_bytes: u64,
}

impl VerifiedPartial {
    pub(crate) const fn new(partial: Partial, digest: Digest, size_bytes: u64) -> Self {
        Self {
            partial,
            digest,
            size_bytes,
        }
    }

    /// The open file: what was verified, whatever is at the path by now.
    pub const fn file(&self) -> &File {
        &self.partial.file
    }

    /// Where it was created.
    pub fn path(&self) -> &Path {
        &self.partial.path
    }

    /// The hash that it has.
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// Its size in bytes.
    pub const fn size_bytes(&self) -> u64 {
        self.size_bytes
    }
}

enum Locked {
    /// The file is locked and stands at its path.
    Ours(File),
    /// Another process holds the lock.
    Held,
    /// Another process took the file away before it was locked.
    Moved,
}

fn create_new(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o644)
        .open(path)
}

fn lock(file: File, path: &Path) -> Result<Locked, DownloadError> {
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        // Where there are no locks, nobody can hold one.
        Ok(()) | Err(Errno::NOLCK | Errno::NOSYS | Errno::OPNOTSUPP) => {}
        Err(Errno::WOULDBLOCK) => return Ok(Locked::Held),
        Err(error) => return Err(DownloadError::from_disk(error.into(), path)),
    }
    match is_at(&file, path) {
        Ok(true) => Ok(Locked::Ours(file)),
        Ok(false) => Ok(Locked::Moved),
        Err(error) => Err(DownloadError::from_disk(error, path)),
    }
}

/// Removes the file at `path` unless somebody holds its lock. False: somebody does.
fn remove_stale(path: &Path) -> Result<bool, DownloadError> {
    let failed = |error| DownloadError::from_disk(error, path);
    let remove = || match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(error)),
        _ => Ok(true),
    };
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path);
    match opened {
        Ok(file) => match lock(file, path)? {
            Locked::Ours(_held_until_it_is_gone) => remove(),
            Locked::Held => Ok(false),
            Locked::Moved => Ok(true),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        // A symbolic link: not ours, and never followed.
        Err(error) if Errno::from_io_error(&error) == Some(Errno::LOOP) => remove(),
        Err(error) => Err(failed(error)),
    }
}

fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let ours = file.metadata()?;
    match fs::symlink_metadata(path) {
        Ok(found) => Ok((found.dev(), found.ino()) == (ours.dev(), ours.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
