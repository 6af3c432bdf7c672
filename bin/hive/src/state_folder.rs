//! The state folder: made closed, checked before use, and owned by exactly one hive.

pub(crate) mod files;

use std::{
    fs::{DirBuilder, File, Metadata, OpenOptions},
    io::{self, Read, Seek, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
};

use files::OpenFileError;
use hive_api::StateFolder;
use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};

use crate::file_system::FileSystem;

/// The state folder, held by this process until dropped.
#[derive(Debug)]
pub struct OwnedStateFolder {
    folder: StateFolder,
    /// Holds the `flock`; its text is our process id. The file is never unlinked: a lock on a file that is gone
    /// excludes nobody.
    _lock: File,
}

/// Why the state folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateFolderError {
    /// Another hive runs on it.
    #[error(
        "another hive{} owns {}: use that one, stop it with `keeper hive stop`, or set `HIVE_STATE_DIR`",
        pid.as_ref().map(|pid| format!(" (process {pid})")).unwrap_or_default(),
        path.display()
    )]
    Owned {
        /// The folder.
        path: PathBuf,
        /// The other hive's process id, where its lock tells.
        pid: Option<String>,
    },
    /// Something else stands there.
    #[error("{} is not a folder: move it away, or set `HIVE_STATE_DIR`", path.display())]
    NotAFolder {
        /// The path.
        path: PathBuf,
    },
    /// It belongs to another user.
    #[error("{} belongs to user {owner}, and this is user {user}: set `HIVE_STATE_DIR` to a folder of your own", path.display())]
    NotOurs {
        /// The folder.
        path: PathBuf,
        /// Its owner's id.
        owner: u32,
        /// Our id.
        user: u32,
    },
    /// Others could plant files in it.
    #[error("{} can be written by other users (mode {mode:03o}): run `chmod 700` on it, or set `HIVE_STATE_DIR`", path.display())]
    WritableByOthers {
        /// The folder.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A pipe, a link or something else stands where one of its files belongs.
    #[error("{} is not a regular file: remove it", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// One of its files belongs to another user.
    #[error("{} belongs to user {owner}, and this is user {user}: remove it, or set `HIVE_STATE_DIR`", path.display())]
    FileNotOurs {
        /// The file.
        path: PathBuf,
        /// Its owner's id.
        owner: u32,
        /// Our id.
        user: u32,
    },
    /// Locks and the database cannot be trusted there.
    #[error("{} is on a network file system, which cannot hold the database: set `HIVE_STATE_DIR` to a local folder", path.display())]
    NetworkFileSystem {
        /// The folder.
        path: PathBuf,
    },
    /// The system refused.
    #[error("cannot use {} as state folder (`HIVE_STATE_DIR`)", path.display())]
    Unusable {
        /// The path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl OwnedStateFolder {
    /// Makes the folder where it is missing, checks it, and takes its lock.
    pub fn take(folder: StateFolder) -> Result<Self, StateFolderError> {
        let unusable = |source| StateFolderError::Unusable {
            path: folder.path().to_owned(),
            source,
        };
        let refused = |error| match error {
            OpenFileError::Refused(error) => error,
            OpenFileError::Io(source) => unusable(source),
        };
        prepare(&folder)?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut lock = files::open(&folder.lock(), &mut options).map_err(refused)?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                let path = folder.path().to_owned();
                let pid = read_pid(&mut lock);
                return Err(StateFolderError::Owned { path, pid });
            }
            Err(error) => return Err(unusable(error.into())),
        }
        write_pid(&mut lock).map_err(unusable)?;
        for path in private_files(&folder) {
            files::close_to_others(&path).map_err(refused)?;
        }
        Ok(Self {
            folder,
            _lock: lock,
        })
    }

    /// Where the files in it are.
    pub fn names(&self) -> &StateFolder {
        &self.folder
    }
}

/// What only its owner may open: the lock, or another could hold it, and the database with its log and index
/// (SQLite, "WAL-mode File Format").
fn private_files(folder: &StateFolder) -> [PathBuf; 5] {
    let database = folder.database().into_os_string();
    let beside = |suffix: &str| {
        let mut name = database.clone();
        name.push(suffix);
        PathBuf::from(name)
    };
    [
        folder.lock(),
        folder.audit_log(),
        beside(""),
        beside("-wal"),
        beside("-shm"),
    ]
}

/// Makes the folder where it is missing, and checks that it is ours alone to write.
pub(crate) fn prepare(folder: &StateFolder) -> Result<(), StateFolderError> {
    let path = folder.path();
    let unusable = |source| StateFolderError::Unusable {
        path: path.to_owned(),
        source,
    };
    match path.metadata() {
        Ok(metadata) if !metadata.is_dir() => {
            let path = path.to_owned();
            return Err(StateFolderError::NotAFolder { path });
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(unusable)?,
        Err(error) => return Err(unusable(error)),
    }
    check(path, &path.metadata().map_err(unusable)?)?;
    if FileSystem::of(path).map_err(unusable)?.is_network {
        let path = path.to_owned();
        return Err(StateFolderError::NetworkFileSystem { path });
    }
    Ok(())
}

fn check(path: &Path, metadata: &Metadata) -> Result<(), StateFolderError> {
    let (path, user) = (path.to_owned(), rustix::process::geteuid().as_raw());
    if metadata.uid() != user {
        let owner = metadata.uid();
        return Err(StateFolderError::NotOurs { path, owner, user });
    }
    let mode = metadata.mode() & 0o777;
    if mode & 0o022 != 0 {
        return Err(StateFolderError::WritableByOthers { path, mode });
    }
    Ok(())
}

fn read_pid(lock: &mut File) -> Option<String> {
    let mut text = String::new();
    lock.take(32).read_to_string(&mut text).ok()?;
    let pid = text.trim();
    pid.parse::<u32>().ok().map(|_| pid.to_owned())
}

fn write_pid(lock: &mut File) -> io::Result<()> {
    lock.set_len(0)?;
    lock.rewind()?;
    writeln!(lock, "{}", std::process::id())
}
