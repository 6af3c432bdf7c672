//! How fast the store's disk takes bytes, sync included, measured with a file that never has a lasting name.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    time::Duration,
};

use hive_api::{Finding, figures};
use rustix::fs::{Mode, OFlags, fdatasync, open, statvfs};
use tokio::{
    task::spawn_blocking,
    time::{Instant, timeout},
};
use uuid::Uuid;

use super::{silent_disk, store::nearest};

/// Written at most.
const MOST_BYTES: u64 = 256 << 20;
/// No measurement writes for longer; the sync comes after.
const WRITE_FOR: Duration = Duration::from_secs(2);
/// A disk that needs longer for all of it does not answer.
const LIMIT: Duration = Duration::from_secs(15);
/// Room that must be left beside what is written.
const SPARE_BYTES: u64 = 1 << 30;
/// What is written at a time, as a download does.
const CHUNK_BYTES: usize = 1 << 20;
/// A disk that is slower holds back most networks.
const SLOW_BYTES_PER_SECOND: u64 = 50_000_000;

/// The finding, and the rate in bytes a second.
pub(super) async fn write_rate(store: &Path) -> (Finding, Option<u64>) {
    let folder = nearest(store);
    told(move || measure(&folder)).await
}

async fn told(
    measure: impl FnOnce() -> Result<u64, Unmeasured> + Send + 'static,
) -> (Finding, Option<u64>) {
    match timeout(LIMIT, spawn_blocking(measure)).await {
        Ok(Ok(Ok(rate))) => (judged(rate), Some(rate)),
        Ok(Ok(Err(Unmeasured::LittleRoom))) => {
            let found = "not measured: there is less than 1 GB to spare";
            let next =
                "make room: keeper model list, keeper model remove (docs/OPERATIONS.md#store)";
            (Finding::skip("disk", found, next), None)
        }
        Ok(Ok(Err(Unmeasured::Failed(error)))) => {
            let found = format!("the store takes no bytes: {error}");
            let next = "see in dmesg whether the disk is well, and give the hive's user the right to write \
                 (docs/OPERATIONS.md#store)";
            (Finding::fail("disk", found, next), None)
        }
        Ok(Err(_)) | Err(_) => (silent_disk("disk", LIMIT), None),
    }
}

fn judged(rate: u64) -> Finding {
    let found = format!("{}, sync included", figures::rate(rate));
    if rate < SLOW_BYTES_PER_SECOND {
        let next = "put the store on a faster disk: HF_HUB_CACHE (docs/OPERATIONS.md#store)";
        return Finding::warn("disk", found, next);
    }
    Finding::ok("disk", found)
}

#[derive(Debug)]
enum Unmeasured {
    LittleRoom,
    Failed(io::Error),
}

impl<E: Into<io::Error>> From<E> for Unmeasured {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

fn measure(folder: &Path) -> Result<u64, Unmeasured> {
    let disk = statvfs(folder)?;
    if disk.f_bavail.saturating_mul(disk.f_frsize) < MOST_BYTES + SPARE_BYTES {
        return Err(Unmeasured::LittleRoom);
    }
    let mut file = nameless(folder)?;
    // Not zeros, which some disks do not write.
    let mut chunk = vec![0; CHUNK_BYTES];
    let filled = getrandom::fill(&mut chunk);
    filled.map_err(|error| io::Error::other(error.to_string()))?;
    let began = Instant::now();
    let mut bytes = 0;
    while bytes < MOST_BYTES && began.elapsed() < WRITE_FOR {
        file.write_all(&chunk)?;
        bytes += CHUNK_BYTES as u64;
    }
    fdatasync(&file)?;
    let nanoseconds = began.elapsed().as_nanos().max(1);
    let rate = u128::from(bytes) * 1_000_000_000 / nanoseconds;
    Ok(u64::try_from(rate).unwrap_or(u64::MAX))
}

/// A file that is gone with the process, however that ends (open(2), `O_TMPFILE`). Where the file system has none, it
/// has a name for as long as it takes to remove it.
fn nameless(folder: &Path) -> io::Result<File> {
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    match open(folder, flags, Mode::RUSR | Mode::WUSR) {
        Ok(file) => Ok(file.into()),
        Err(_) => unlinked(folder),
    }
}

fn unlinked(folder: &Path) -> io::Result<File> {
    let path = folder.join(format!(".hive-doctor-{}", Uuid::now_v7()));
    let mut options = OpenOptions::new();
    let file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)?;
    fs::remove_file(&path)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use hive_api::FindingLevel;
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn no_file_is_left_and_none_is_seen_while_it_is_written() {
        let folder = TempDir::new().unwrap();
        for make in [nameless, unlinked] {
            let mut file = make(folder.path()).unwrap();
            file.write_all(b"bytes").unwrap();
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        }
    }

    #[tokio::test]
    async fn a_disk_that_takes_no_bytes_fails_and_a_full_one_is_left_alone() {
        // No process may write there, root neither.
        let measured = measure(Path::new("/proc/self"));
        assert!(
            matches!(measured, Err(Unmeasured::LittleRoom)),
            "{measured:?}"
        );
        let gone = measure(Path::new("/no/such/folder"));
        assert!(matches!(gone, Err(Unmeasured::Failed(_))), "{gone:?}");
        let (finding, rate) = write_rate(Path::new("/proc/self/hub")).await;
        assert!(
            finding.is(FindingLevel::Skip) && rate.is_none(),
            "{finding:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_disk_that_takes_no_end_is_not_waited_for() {
        let (_hold, held) = std::sync::mpsc::sync_channel::<()>(0);
        let never = move || {
            let _ = held.recv();
            Ok(0)
        };
        // Time stands still while a blocking task runs.
        let ((finding, rate), ()) = tokio::join!(told(never), tokio::time::advance(LIMIT));
        assert!(finding.is(FindingLevel::Fail), "{finding:?}");
        assert!(finding.found.contains("does not answer within 15 s"));
        assert_eq!(rate, None);
    }

    #[test]
    fn a_slow_disk_is_a_warning() {
        assert!(judged(20_000_000).is(FindingLevel::Warn));
        assert!(judged(1_900_000_000).is(FindingLevel::Ok));
    }
}
