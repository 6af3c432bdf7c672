//! The folders: whether they can be used, what they are on, how much room there is.

use std::{
    io,
    path::{Path, PathBuf},
};

use hive_api::{Finding, figures::rough_size};
use model_store::{ModelStore, StoreError};
use rustix::fs::{Access, access, statvfs};

use crate::file_system::FileSystem;

/// Less than this is room for no model.
const LITTLE_STORE_BYTES: u64 = 10_000_000_000;
/// Less than this is gone with a few days of jobs.
const LITTLE_STATE_BYTES: u64 = 100_000_000;

/// The store: there or to be made, writable, with links, with room.
pub(super) fn store(path: &Path, reserved_bytes: Option<u64>) -> Finding {
    let there = nearest(path);
    if let Err(error) = writable(&there) {
        return Finding::fail(
            "store",
            format!("{} cannot be written: {error}", there.display()),
            "give the hive's user the right to write there, or set HF_HUB_CACHE; in a service also ReadWritePaths= \
             (docs/OPERATIONS.md#store)",
        );
    }
    let disk = match Disk::of(&there) {
        Ok(disk) => disk,
        Err(error) => return unreachable("store", &there, &error),
    };
    let is_there = there == path;
    if is_there && let Err(error) = ModelStore::new(path).check_links() {
        return without_links(path, disk.kind, &error);
    }
    let made = if is_there {
        ""
    } else {
        ", made by the first download"
    };
    let shown = format!("{}{made}", path.display());
    store_with_room(&shown, disk, reserved_bytes.unwrap_or_default())
}

/// The Hub's layout is made of links, so nothing can be published without them.
fn without_links(path: &Path, kind: FileSystem, error: &StoreError) -> Finding {
    let path = path.display();
    if let StoreError::NoLinks { .. } = error {
        let found = format!("{path}, {kind}: it has no symbolic links");
        let next =
            "put the store on a file system that has them: HF_HUB_CACHE (docs/OPERATIONS.md#store)";
        return Finding::fail("store", found, next);
    }
    let found = format!("{path}, {kind}: {error}");
    let next = "see with df whether it is full, and in dmesg whether its disk is well (docs/OPERATIONS.md#store)";
    Finding::fail("store", found, next)
}

fn store_with_room(shown: &str, disk: Disk, reserved_bytes: u64) -> Finding {
    let reserved = match reserved_bytes {
        0 => String::new(),
        bytes => format!(", {} reserved", rough_size(bytes)),
    };
    let Disk { kind, free_bytes } = disk;
    let free = rough_size(free_bytes);
    let found = format!("{shown}, {kind}, {free} free{reserved}");
    if free_bytes.saturating_sub(reserved_bytes) < LITTLE_STORE_BYTES {
        let next = "make room: keeper model list, keeper model remove; or set HF_HUB_CACHE (docs/OPERATIONS.md#store)";
        return Finding::warn("store", found, next);
    }
    if kind.is_network {
        let next = "put the store on a local disk, which is faster and whose locks hold: HF_HUB_CACHE \
                    (docs/OPERATIONS.md#store)";
        return Finding::warn("store", found, next);
    }
    Finding::ok("store", found)
}

/// The state folder: writable, local, with room.
pub(super) fn state(path: &Path) -> Finding {
    let there = nearest(path);
    if let Err(error) = writable(&there) {
        return Finding::fail(
            "state",
            format!("{} cannot be written: {error}", there.display()),
            "give the hive's user the right to write there, or set HIVE_STATE_DIR (docs/OPERATIONS.md#state)",
        );
    }
    match Disk::of(&there) {
        Ok(disk) => state_with_room(path, disk),
        Err(error) => unreachable("state", &there, &error),
    }
}

fn state_with_room(path: &Path, disk: Disk) -> Finding {
    let Disk { kind, free_bytes } = disk;
    let found = format!(
        "{}, {kind}, {} free",
        path.display(),
        rough_size(free_bytes)
    );
    let next =
        "set HIVE_STATE_DIR to a folder on a local disk with room (docs/OPERATIONS.md#state)";
    if kind.is_network || free_bytes == 0 {
        return Finding::fail("state", found, next);
    }
    if free_bytes < LITTLE_STATE_BYTES {
        return Finding::warn("state", found, next);
    }
    Finding::ok("state", found)
}

fn writable(folder: &Path) -> io::Result<()> {
    Ok(access(folder, Access::WRITE_OK | Access::EXEC_OK)?)
}

/// The folder, or its nearest ancestor that exists.
pub(super) fn nearest(path: &Path) -> PathBuf {
    let there = path.ancestors().find(|folder| folder.exists());
    there.unwrap_or(Path::new("/")).to_owned()
}

/// What a folder is on.
#[derive(Clone, Copy, Debug)]
struct Disk {
    kind: FileSystem,
    free_bytes: u64,
}

impl Disk {
    fn of(folder: &Path) -> io::Result<Self> {
        let disk = statvfs(folder)?;
        Ok(Self {
            kind: FileSystem::of(folder)?,
            free_bytes: disk.f_bavail.saturating_mul(disk.f_frsize),
        })
    }
}

fn unreachable(check: &str, folder: &Path, error: &io::Error) -> Finding {
    let found = format!("{} cannot be reached: {error}", folder.display());
    let next = "see with findmnt whether its disk is mounted, and in dmesg whether it is well (docs/OPERATIONS.md#store)";
    Finding::fail(check, found, next)
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
        assert!(finding.found.contains(", 38 TB reserved"), "{finding:?}");
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

    const fn disk(name: &'static str, is_network: bool, free_bytes: u64) -> Disk {
        let kind = FileSystem { name, is_network };
        Disk { kind, free_bytes }
    }

    #[test]
    fn a_store_with_little_room_or_on_the_network_is_a_warning() {
        let room = 412_300_000_000;
        let well = store_with_room("/srv/hub", disk("ext4", false, room), 38_400_000_000);
        let shown = "/srv/hub, local ext4, 412 GB free, 38 GB reserved";
        assert_eq!(well, Finding::ok("store", shown));
        let little = store_with_room("/srv/hub", disk("ext4", false, 9_900_000_000), 0);
        assert!(little.is(FindingLevel::Warn), "{little:?}");
        assert!(little.next.unwrap().contains("keeper model remove"));
        let shared = store_with_room("/srv/hub", disk("nfs", true, room), 0);
        assert!(shared.is(FindingLevel::Warn), "{shared:?}");
        assert_eq!(shared.found, "/srv/hub, network nfs, 412 GB free");
        assert!(shared.next.unwrap().contains("a local disk"));
    }

    #[test]
    fn a_store_without_links_fails_and_any_other_trouble_with_one_is_told_as_it_is() {
        let (path, kind) = (
            PathBuf::from("/srv/hub/.staged"),
            disk("exfat", false, 0).kind,
        );
        let judged = |error: &StoreError| without_links(Path::new("/srv/hub"), kind, error);
        let source = io::Error::from(io::ErrorKind::PermissionDenied);
        let none = judged(&StoreError::NoLinks {
            path: path.clone(),
            source,
        });
        assert!(none.is(FindingLevel::Fail), "{none:?}");
        assert_eq!(
            none.found,
            "/srv/hub, local exfat: it has no symbolic links"
        );
        let source = io::Error::from(io::ErrorKind::StorageFull);
        let full = judged(&StoreError::DiskFull { path, source });
        assert!(full.is(FindingLevel::Fail), "{full:?}");
        assert!(!full.next.unwrap().contains("HF_HUB_CACHE"));
    }

    #[test]
    fn a_state_folder_with_little_room_is_a_warning_and_one_on_the_network_fails() {
        let judged = |disk: Disk| state_with_room(Path::new("/var/lib/hive"), disk);
        assert!(judged(disk("ext4", false, 1_000_000_000)).is(FindingLevel::Ok));
        assert!(judged(disk("ext4", false, 99_000_000)).is(FindingLevel::Warn));
        let shared = judged(disk("nfs", true, 1_000_000_000));
        assert!(shared.is(FindingLevel::Fail), "{shared:?}");
        assert!(shared.next.unwrap().contains("local disk"));
    }

    #[test]
    fn a_state_folder_that_nobody_can_write_fails_with_the_variable() {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("state");
        fs::write(&file, "").unwrap();
        let finding = state(&file);
        assert!(finding.is(FindingLevel::Fail), "{finding:?}");
        assert!(finding.found.contains("cannot be written"), "{finding:?}");
        assert!(finding.next.unwrap().contains("HIVE_STATE_DIR"));
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
