//! One writer a blob inside this process: the second download waits, and then finds the blob.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, Weak},
};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

/// The locks of the blobs that are being fetched, by their place in the store.
#[derive(Default)]
pub(crate) struct BlobLocks {
    by_path: Mutex<HashMap<PathBuf, Weak<AsyncMutex<()>>>>,
}

impl BlobLocks {
    /// The lock if it is free, else the wait for it.
    pub(crate) fn of(&self, blob: &Path) -> Result<OwnedMutexGuard<()>, Arc<AsyncMutex<()>>> {
        let lock = {
            let mut by_path = self.by_path.lock().unwrap_or_else(PoisonError::into_inner);
            by_path.retain(|_, lock| lock.strong_count() > 0);
            let known = by_path.get(blob).and_then(Weak::upgrade);
            known.unwrap_or_else(|| {
                let lock = Arc::new(AsyncMutex::new(()));
                by_path.insert(blob.to_owned(), Arc::downgrade(&lock));
                lock
            })
        };
        Arc::clone(&lock).try_lock_owned().map_err(|_| lock)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_second_taker_of_one_blob_waits_and_one_of_another_does_not() {
        let locks = BlobLocks::default();
        let held = locks.of(Path::new("a")).unwrap();
        assert!(locks.of(Path::new("b")).is_ok());
        let waiting = locks.of(Path::new("a")).unwrap_err();
        drop(held);
        drop(waiting.lock_owned().await);
        assert!(locks.of(Path::new("a")).is_ok());
    }
}
