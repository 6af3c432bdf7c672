//! The lock of a blob, as the Hub's own clients take it, so that two of them do not fetch the same bytes at once.
//!
//! A courtesy and an economy: on some network file systems `flock` succeeds for everyone. That the bytes are right
//! rests on the hash of what was received and on the rename of exactly that file.

use std::fs::File;
use std::io;
use std::time::Duration;

use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use tokio::task::spawn_blocking;

use crate::folder::Folder;
use crate::{BlobName, RepoFolder, StoreError};

/// A held lock. Dropping it gives it back; the lock's file stays, as with the other clients.
#[derive(Debug)]
pub struct BlobLock {
    _file: File,
}

/// How often a lock that another process holds is asked for again.
const ASK_EVERY: Duration = Duration::from_millis(200);

impl RepoFolder {
    /// Takes the lock of a blob if nobody holds it.
    pub fn try_lock_blob(&self, blob: &BlobName) -> Result<Option<BlobLock>, StoreError> {
        let locks = Folder::root(self.root())?
            .child(".locks")?
            .child(self.folder_name())?;
        let name = format!("{blob}.lock");
        let path = locks.path().join(&name);
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&locks, &name, flags, Mode::from_raw_mode(0o644))
            .map_err(|error| StoreError::at(&path, error))?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            // Where there are no locks, nobody can hold one.
            Ok(()) | Err(Errno::NOLCK | Errno::NOSYS | Errno::OPNOTSUPP) => Ok(Some(BlobLock {
                _file: File::from(file),
            })),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(StoreError::at(&path, error)),
        }
    }

    /// Waits until the lock of a blob is free and takes it. Dropping the future ends the wait at once.
    pub async fn lock_blob(&self, blob: &BlobName) -> Result<BlobLock, StoreError> {
        loop {
            let (folder, blob_name) = (self.clone(), blob.clone());
            let asked = spawn_blocking(move || folder.try_lock_blob(&blob_name)).await;
            let asked =
                asked.map_err(|error| StoreError::at(self.root(), io::Error::other(error)))?;
            match asked? {
                Some(lock) => return Ok(lock),
                None => tokio::time::sleep(ASK_EVERY).await,
            }
        }
    }
}
