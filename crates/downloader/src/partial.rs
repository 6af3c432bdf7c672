//! The file on disk into which bytes are received, beside its record; opened only if it is provably ours.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, FlockOperation, OFlags};
use rustix::io::Errno;
use tokio_util::sync::CancellationToken;

use crate::record::{Claims, Identity, RecordFile};
use crate::{BootId, Digest, DownloadError};

/// An open, locked file.
///
/// Two processes never write to one file: a new one is created by one of them alone, and an old one is gone on with
/// only under a lock that is known to work, or replaced by a new file. Where another process takes the path all the
/// same, the one whose file stood there finds another file at its path and does not place it.
#[derive(Debug)]
pub(crate) struct Partial {
    pub(crate) file: File,
    path: PathBuf,
}

const TMPFS: u64 = 0x0102_1994;

/// What a try to open the partial came to.
enum Attempt {
    Opened(Partial, Option<Claims>),
    /// Another process holds it.
    Held,
    /// Another process took it away, or it proved nothing and is removed: the next try finds another state.
    Changed,
}

impl Partial {
    /// Opens the partial with what its record proves, or a new and empty one in place of what proves nothing.
    pub(crate) fn open(
        path: &Path,
        identity: &Identity,
    ) -> Result<(Self, Option<Claims>), DownloadError> {
        // Each round begins with what another process did since the last one, so that few are ever needed.
        for _ in 0..8 {
            let attempt = match open_existing(path) {
                Ok(file) => go_on(file, path, identity)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => create(path)?,
                // A symbolic link: not ours, and never followed.
                Err(error) if Errno::from_io_error(&error) == Some(Errno::LOOP) => {
                    remove(path)?;
                    Attempt::Changed
                }
                Err(error) => return Err(DownloadError::from_disk(error, path)),
            };
            match attempt {
                Attempt::Opened(partial, claims) => return Ok((partial, claims)),
                Attempt::Held => break,
                Attempt::Changed => {}
            }
        }
        let path = path.to_owned();
        Err(DownloadError::InUse { path })
    }

    /// Reserves the disk space of the whole file, step by step so that it can be stopped. The size stays as it is.
    /// Only a full disk is an error: not every file system can reserve. One in memory has no layout to keep together,
    /// and would clear every page only for it to be written a moment later.
    pub(crate) fn reserve(
        &self,
        size_bytes: u64,
        cancellation: &CancellationToken,
    ) -> io::Result<()> {
        const STEP_BYTES: u64 = 256 * 1024 * 1024;
        let mut offset = 0;
        if number_of_file_system(&self.file)? == TMPFS {
            return Ok(());
        }
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

    /// Whether the file stands at its path, rather than moved away or replaced.
    pub(crate) fn is_in_place(&self) -> bool {
        is_at(&self.file, &self.path).unwrap_or(false)
    }

    /// Removes the record and then the file, if it still stands at its path.
    pub(crate) fn discard(&self, record: &mut RecordFile) -> io::Result<()> {
        record.remove()?;
        if is_at(&self.file, &self.path)? {
            fs::remove_file(&self.path)?;
        }
        Ok(())
    }
}

/// Removes a partial and its record. False, and nothing is touched, if a download holds them. Blocks on the disk.
pub fn discard_partial(path: &Path) -> Result<bool, DownloadError> {
    let failed = |error| DownloadError::from_disk(error, path);
    match open_existing(path) {
        Ok(file) => match lock(&file, path)? {
            Locked::Ours => {
                let partial = Partial {
                    file,
                    path: path.to_owned(),
                };
                let discarded = partial.discard(&mut RecordFile::beside(path));
                discarded.map_err(failed)?;
                Ok(true)
            }
            Locked::Held => Ok(false),
            Locked::Moved => Ok(true),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            RecordFile::beside(path).remove().map_err(failed)?;
            Ok(true)
        }
        Err(error) if Errno::from_io_error(&error) == Some(Errno::LOOP) => {
            remove(path)?;
            Ok(true)
        }
        Err(error) => Err(failed(error)),
    }
}

/// The bytes of a partial that a download of this digest would go on from, as its record proves; zero where it proves
/// nothing. Takes no lock and changes nothing. Blocks on the disk.
pub fn resumable_bytes(path: &Path, digest: Digest, boot_id: &BootId) -> u64 {
    let claims = RecordFile::beside(path)
        .read()
        .and_then(|text| Claims::of(&text, digest, boot_id));
    let proved = claims.filter(|claims| {
        open_existing(path).is_ok_and(|file| is_proved(&file, claims).unwrap_or(false))
    });
    proved.map_or(0, |claims| claims.segments.bytes())
}

/// Goes on with the file that stands there if it is provably ours, else takes it away.
fn go_on(file: File, path: &Path, identity: &Identity) -> Result<Attempt, DownloadError> {
    match lock(&file, path)? {
        Locked::Ours => {}
        Locked::Held => return Ok(Attempt::Held),
        Locked::Moved => return Ok(Attempt::Changed),
    }
    let mut record = RecordFile::beside(path);
    let claims = record
        .read()
        .and_then(|text| identity.claims(&text))
        .filter(|claims| is_proved(&file, claims).unwrap_or(false));
    let path = path.to_owned();
    let partial = Partial { file, path };
    if claims.is_some() {
        return Ok(Attempt::Opened(partial, claims));
    }
    let discarded = partial.discard(&mut record);
    discarded.map_err(|error| DownloadError::from_disk(error, &partial.path))?;
    Ok(Attempt::Changed)
}

fn create(path: &Path) -> Result<Attempt, DownloadError> {
    let failed = |error| DownloadError::from_disk(error, path);
    let created = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o644)
        .open(path);
    let file = match created {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(Attempt::Changed),
        Err(error) => return Err(failed(error)),
    };
    match lock(&file, path)? {
        Locked::Ours => {}
        Locked::Held => return Ok(Attempt::Held),
        Locked::Moved => return Ok(Attempt::Changed),
    }
    // A record without its file is of one that is gone.
    RecordFile::beside(path).remove().map_err(failed)?;
    let path = path.to_owned();
    Ok(Attempt::Opened(Partial { file, path }, None))
}

/// Whether the file can hold what the record claims and nobody else can be writing to it.
fn is_proved(file: &File, claims: &Claims) -> io::Result<bool> {
    let metadata = file.metadata()?;
    // A second name would make what we write appear elsewhere.
    let is_alone = metadata.is_file() && metadata.nlink() == 1;
    let is_long_enough = metadata.len() >= claims.segments.end();
    // The kernel's own lock excludes everyone on this machine. What another machine's process does on a network file
    // system it may not see, and another boot may be another machine.
    let is_exclusive = claims.is_same_boot || is_local(file)?;
    Ok(is_alone && is_long_enough && is_exclusive)
}

/// Whether the file system is one that only this machine writes to.
fn is_local(file: &File) -> io::Result<bool> {
    const LOCAL: [u64; 9] = [
        0xEF53,      // ext2, ext3, ext4
        0x5846_5342, // XFS
        0x9123_683E, // Btrfs
        TMPFS,
        0x2FC1_2FC1, // ZFS
        0x794C_7630, // overlayfs
        0xF2F5_2010, // F2FS
        0xCA45_1A4E, // bcachefs
        0x4D44,      // FAT
    ];
    Ok(LOCAL.contains(&number_of_file_system(file)?))
}

/// The number of a file's system, in `linux/magic.h`.
fn number_of_file_system(file: &File) -> io::Result<u64> {
    let number = rustix::fs::fstatfs(file)?.f_type;
    // Some numbers are negative where the type has 32 bits.
    Ok(number.cast_unsigned() & 0xFFFF_FFFF)
}

enum Locked {
    /// The file is locked and stands at its path.
    Ours,
    /// Another process holds the lock.
    Held,
    /// Another process took the file away before it was locked.
    Moved,
}

fn open_existing(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path)
}

fn lock(file: &File, path: &Path) -> Result<Locked, DownloadError> {
    match rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
        // Where there are no locks, nobody can hold one.
        Ok(()) | Err(Errno::NOLCK | Errno::NOSYS | Errno::OPNOTSUPP) => {}
        Err(Errno::WOULDBLOCK) => return Ok(Locked::Held),
        Err(error) => return Err(DownloadError::from_disk(error.into(), path)),
    }
    match is_at(file, path) {
        Ok(true) => Ok(Locked::Ours),
        Ok(false) => Ok(Locked::Moved),
        Err(error) => Err(DownloadError::from_disk(error, path)),
    }
}

fn remove(path: &Path) -> Result<(), DownloadError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(DownloadError::from_disk(error, path))
        }
        _ => Ok(()),
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
