//! What kind of file system a folder is on, and whether other machines have a part in it.

use std::{io, path::Path};

use rustix::fs::statfs;

/// Magic numbers (linux/magic.h, and the ZFS, Lustre and GPFS sources), names, and whether the file system is one of
/// the network, on which SQLite's log and `flock` cannot be trusted.
const KNOWN: [(u64, &str, bool); 19] = [
    (0xEF53, "ext4", false),
    (0x5846_5342, "xfs", false),
    (0x9123_683E, "btrfs", false),
    (0x2FC1_2FC1, "zfs", false),
    (0xF2F5_2010, "f2fs", false),
    (0x0102_1994, "tmpfs", false),
    (0x794C_7630, "overlay", false),
    (0x4D44, "vfat", false),
    (0x2011_BAB0, "exfat", false),
    (0x6573_5546, "fuse", false),
    (0x6969, "nfs", true),
    (0x517B, "smb", true),
    (0xFF53_4D42, "cifs", true),
    (0xFE53_4D42, "smb2", true),
    (0x00C3_6400, "ceph", true),
    (0x5346_414F, "afs", true),
    (0x0102_1997, "9p", true),
    (0x0BD0_0BD0, "lustre", true),
    (0x4750_4653, "gpfs", true),
];

/// The kind of a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileSystem {
    /// Its usual name; ext2 and ext3 cannot be told from ext4 (statfs(2)).
    pub(crate) name: &'static str,
    /// Whether other machines have a part in it.
    pub(crate) is_network: bool,
}

impl FileSystem {
    /// That of the folder.
    pub(crate) fn of(folder: &Path) -> io::Result<Self> {
        // The field is signed on some machines, and its upper half then says nothing.
        let kind = statfs(folder)?.f_type;
        #[expect(clippy::cast_sign_loss, reason = "a magic number is its bits")]
        let kind = kind as u64 & u64::from(u32::MAX);
        let known = KNOWN.iter().find(|(magic, ..)| *magic == kind);
        Ok(known.map_or(
            Self {
                name: "file system",
                is_network: false,
            },
            |(_, name, is_network)| Self {
                name,
                is_network: *is_network,
            },
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_in_memory_is_local() {
        let shm = FileSystem::of(Path::new("/dev/shm")).unwrap();
        assert!(!shm.is_network);
        assert!(FileSystem::of(Path::new("/no/such/folder")).is_err());
    }

    #[test]
    fn every_magic_number_stands_once() {
        let mut numbers: Vec<u64> = KNOWN.iter().map(|(number, ..)| *number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), KNOWN.len());
    }
}
