//! The folders: whether they can be used, what they are on, how much room there is.

use std::{
    io,
    path::{Path, PathBuf},
};

use hive_api::Finding;
use model_store::ModelStore;
use rustix::fs::{Access, access, statvfs};

use crate::{file_system::FileSystem, operations::bytes};

/// Less than this is room for no model.
const LITTLE_STORE_BYTES: u64 = 10_000_000_000;
/// Less than this is gone with a few days of jobs.
const LITTLE_STATE_BYTES: u64 = 100_000_000;

/// The store: there or to be made, writable, with links, with room.
pub(super) fn store(path: &Path, reserved_bytes: Option<u64>) -> Finding {
    let there = nearest(path);
    if let Err(error) = access(&there, Access::WRITE_OK | Access::EXEC_OK) {
        return Finding::fail(
            "store",
            format!("{} cannot be written: {error}", there.display()),
            "give the hive's user the right to write there, or set HF_HUB_CACHE; in a service also ReadWritePaths= \
             (docs/OPERATIONS.md#store)",
        );
    }
    let (kind, free) = match kind_and_free(&there) {
        Ok(found) => found,
        Err(error) => return unreachable("store", &there, &error),
    };
    let is_there = there == path;
    if is_there && let Err(error) = ModelStore::new(path).check_links() {
        return Finding::fail(
            "store",
            format!("{}, {kind}: {error}", path.display()),
            "put the store on a file system with symbolic links: HF_HUB_CACHE (docs/OPERATIONS.md#store)",
        );
    }
    let made = if is_there {
        ""
    } else {
        ", made by the first download"
    };
    let reserved = reserved_bytes.filter(|reserved| *reserved > 0);
    let reserved = reserved.map_or_else(String::new, |reserved| {
        format!(", {} reserved", bytes(reserved))
    });
    let found = format!(
        "{}{made}, {kind}, {} free{reserved}",
        path.display(),
        bytes(free)
    );
    if free.saturating_sub(reserved_bytes.unwrap_or_default()) < LITTLE_STORE_BYTES {
        let next = "make room: keeper model list, keeper model remove; or set HF_HUB_CACHE (docs/OPERATIONS.md#store)";
        return Finding::warn("store", found, next);
    }
    Finding::ok("store", found)
}

/// The state folder: local, with room.
pub(super) fn state(path: &Path) -> Finding {
    let there = nearest(path);
    let (kind, free) = match kind_and_free(&there) {
        Ok(found) => found,
        Err(error) => return unreachable("state", &there, &error),
    };
    let found = format!("{}, {kind}, {} free", path.display(), bytes(free));
    let next =
        "set HIVE_STATE_DIR to a folder on a local disk with room (docs/OPERATIONS.md#state)";
    if kind.is_network || free == 0 {
        return Finding::fail("state", found, next);
    }
    if free < LITTLE_STATE_BYTES {
        return Finding::warn("state", found, next);
    }
    Finding::ok("state", found)
}

/// The folder, or its nearest ancestor that exists.
pub(super) fn nearest(path: &Path) -> PathBuf {
    let there = path.ancestors().find(|folder| folder.exists());
    there.unwrap_or(Path::new("/")).to_owned()
}

fn kind_and_free(folder: &Path) -> io::Result<(FileSystem, u64)> {
    let disk = statvfs(folder)?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    Ok((FileSystem::of(folder)?, free))
}

fn unreachable(check: &str, folder: &Path, error: &io::Error) -> Finding {
    let found = format!("{} cannot be reached: {error}", folder.display());
    Finding::fail(check, found, "look at its disk (docs/OPERATIONS.md#store)")
}

impl std::fmt::Display for FileSystem {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let place = if self.is_network { "network" } else { "local" };
        write!(formatter, "{place} {}", self.name)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use hive_api::FindingLevel;
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn a_store_is_described_and_left_as_it_was() {
        let folder = TempDir::new().unwrap();
        let finding = store(folder.path(), Some(38_000_000_000_000));
        // So much is reserved that no room is left.
        assert!(finding.is(FindingLevel::Warn), "{finding:?}");
        assert!(finding.found.contains(", 38.0 TB reserved"), "{finding:?}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        let later = store(&folder.path().join("a/b"), None);
        assert!(
            later.found.contains("made by the first download"),
            "{later:?}"
        );
        assert!(!folder.path().join("a").exists());
    }

    #[test]
    fn a_store_that_is_a_file_fails_with_the_variable() {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("hub");
        fs::write(&file, "").unwrap();
        let finding = store(&file, None);
        assert!(finding.is(FindingLevel::Fail), "{finding:?}");
        assert!(finding.next.unwrap().contains("HF_HUB_CACHE"));
    }

    #[test]
    fn a_state_folder_is_judged_by_its_disk() {
        let folder = TempDir::new().unwrap();
        assert!(!state(folder.path()).is(FindingLevel::Fail));
        // A file system that holds nothing.
        let full = state(Path::new("/proc/self"));
        assert!(full.is(FindingLevel::Fail), "{full:?}");
        assert!(full.next.unwrap().contains("HIVE_STATE_DIR"));
    }
}
