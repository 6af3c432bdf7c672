//! Folders of the store held open, so that a symbolic link planted in a path is met and never followed.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::process::Pid;

use crate::StoreError;

/// A folder, named by what is open and not by a path that may have changed since.
pub(crate) struct Folder {
    fd: OwnedFd,
    path: PathBuf,
}

/// What the names of staged files and links begin with; the process follows.
const STAGED_PREFIX: &str = ".hive-staged-";

const OPEN: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC);

impl Folder {
    /// Opens the store's root, which it makes where it is missing. The way to the root is the person's own choice
    /// and may lead over symbolic links; below it none is followed.
    pub(crate) fn root(path: &Path) -> Result<Self, StoreError> {
        std::fs::create_dir_all(path).map_err(|error| StoreError::at(path, error))?;
        let fd = rustix::fs::open(path, OPEN, Mode::empty())
            .map_err(|error| StoreError::at(path, error))?;
        Ok(Self {
            fd,
            path: path.to_owned(),
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the folder `name` in this one, which it makes, durably, where it is missing.
    pub(crate) fn child(&self, name: &str) -> Result<Self, StoreError> {
        let path = self.path.join(name);
        match rustix::fs::mkdirat(&self.fd, name, Mode::from_raw_mode(0o777)) {
            Ok(()) => self.sync()?,
            Err(Errno::EXIST) => {}
            Err(error) => return Err(StoreError::at(&path, error)),
        }
        let fd = rustix::fs::openat(&self.fd, name, OPEN | OFlags::NOFOLLOW, Mode::empty())
            .map_err(|error| StoreError::at(&path, error))?;
        Ok(Self { fd, path })
    }

    /// Opens the folder `name` in this one, `None` where it is missing.
    pub(crate) fn existing(&self, name: impl AsRef<OsStr>) -> Result<Option<Self>, StoreError> {
        let name = name.as_ref();
        let path = self.path.join(name);
        match rustix::fs::openat(&self.fd, name, OPEN | OFlags::NOFOLLOW, Mode::empty()) {
            Ok(fd) => Ok(Some(Self { fd, path })),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(StoreError::at(&path, error)),
        }
    }

    /// The names of all that is in this folder.
    pub(crate) fn names(&self) -> Result<Vec<OsString>, StoreError> {
        let failed = |error| StoreError::at(&self.path, error);
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.fd).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name != "." && name != ".." {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }

    /// Makes the renames and links in this folder survive a loss of power.
    pub(crate) fn sync(&self) -> Result<(), StoreError> {
        match rustix::fs::fsync(&self.fd) {
            // Some network file systems cannot sync a folder; they have no better to offer.
            Ok(()) | Err(Errno::INVAL) => Ok(()),
            Err(error) => Err(StoreError::at(&self.path, error)),
        }
    }

    /// Makes `name` a symbolic link to `target`, in place of whatever link or file it was. Nobody sees it missing.
    pub(crate) fn put_link(
        &self,
        name: &str,
        target: &str,
        staging: &Self,
    ) -> Result<(), StoreError> {
        let path = self.path.join(name);
        match rustix::fs::readlinkat(&self.fd, name, Vec::new()) {
            Ok(found) if found.as_bytes() == target.as_bytes() => return Ok(()),
            Ok(_) | Err(Errno::INVAL) => {}
            Err(Errno::NOENT) => match rustix::fs::symlinkat(target, &self.fd, name) {
                Ok(()) => return Ok(()),
                Err(Errno::EXIST) => {}
                Err(error) => return Err(StoreError::at_link(&path, error)),
            },
            Err(error) => return Err(StoreError::at(&path, error)),
        }
        let staged = staging.free_name()?;
        rustix::fs::symlinkat(target, &staging.fd, &staged)
            .map_err(|error| StoreError::at_link(&staging.path.join(&staged), error))?;
        staging.move_to(&staged, self, name)
    }

    /// Whether links can be made here; one that a process leaves behind is cleared with what it staged.
    pub(crate) fn check_links(&self) -> Result<(), StoreError> {
        let staged = self.free_name()?;
        rustix::fs::symlinkat(".", &self.fd, &staged)
            .map_err(|error| StoreError::at_link(&self.path.join(&staged), error))?;
        self.unlink(&staged)
    }

    /// Removes what processes of this machine staged here before they died. Another machine's may be taken for one:
    /// who misses a staged file stages it anew.
    pub(crate) fn clear_staged(&self) -> Result<(), StoreError> {
        let entries =
            std::fs::read_dir(&self.path).map_err(|error| StoreError::at(&self.path, error))?;
        for entry in entries {
            let entry = entry.map_err(|error| StoreError::at(&self.path, error))?;
            let name = entry.file_name();
            if let Some(name) = name.to_str()
                && stager(name).is_some_and(is_gone)
            {
                self.unlink(name)?;
            }
        }
        Ok(())
    }

    /// Makes `name` a file with this content, durably, in place of whatever link or file it was.
    pub(crate) fn put_file(
        &self,
        name: &str,
        content: &[u8],
        staging: &Self,
    ) -> Result<(), StoreError> {
        let staged = staging.stage(content)?;
        if staging.move_to(&staged, self, name).is_err() {
            // What was staged may have been taken for a dead process's; any other trouble comes again.
            let staged = staging.stage(content)?;
            staging.move_to(&staged, self, name)?;
        }
        self.sync()
    }

    /// Writes a file under a name of its own, durably.
    fn stage(&self, content: &[u8]) -> Result<String, StoreError> {
        let staged = self.free_name()?;
        let failed = |error| StoreError::at(&self.path.join(&staged), error);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&self.fd, &staged, flags, Mode::from_raw_mode(0o644))
            .map_err(|error| failed(error.into()))?;
        let mut file = File::from(fd);
        let written = file.write_all(content).and_then(|()| file.sync_all());
        if let Err(error) = written {
            self.drop_staged(&staged);
            return Err(failed(error));
        }
        Ok(staged)
    }

    /// Removes `name`, which may be missing already.
    pub(crate) fn unlink(&self, name: impl AsRef<OsStr>) -> Result<(), StoreError> {
        let name = name.as_ref();
        match rustix::fs::unlinkat(&self.fd, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(StoreError::at(&self.path.join(name), error)),
        }
    }

    /// Removes `name` and, where it is a folder, all that is in it. Links are removed and not followed.
    pub(crate) fn remove_tree(&self, name: impl AsRef<OsStr>) -> Result<(), StoreError> {
        let name = name.as_ref();
        match rustix::fs::unlinkat(&self.fd, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => return Ok(()),
            // Linux says the first, POSIX the second (unlink(2)).
            Err(Errno::ISDIR | Errno::PERM) => {}
            Err(error) => return Err(StoreError::at(&self.path.join(name), error)),
        }
        if let Some(folder) = self.existing(name)? {
            for below in folder.names()? {
                folder.remove_tree(below)?;
            }
        }
        match rustix::fs::unlinkat(&self.fd, name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(StoreError::at(&self.path.join(name), error)),
        }
    }

    /// Removes the folder `name` if nothing is in it.
    pub(crate) fn remove_if_empty(&self, name: impl AsRef<OsStr>) {
        // One that is not empty, or gone already, stays as it is: both are fine.
        let _ = rustix::fs::unlinkat(&self.fd, name.as_ref(), AtFlags::REMOVEDIR);
    }

    /// Bytes that removing `name` frees: none for a link, and none for a file that has another name too.
    pub(crate) fn bytes_freed_by(&self, name: impl AsRef<OsStr>) -> Result<u64, StoreError> {
        let name = name.as_ref();
        match rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat)
                if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
                    && stat.st_nlink == 1 =>
            {
                Ok(u64::try_from(stat.st_size).unwrap_or_default())
            }
            Ok(_) | Err(Errno::NOENT) => Ok(0),
            Err(error) => Err(StoreError::at(&self.path.join(name), error)),
        }
    }

    fn move_to(&self, staged: &str, folder: &Self, name: &str) -> Result<(), StoreError> {
        rustix::fs::renameat(&self.fd, staged, &folder.fd, name).map_err(|error| {
            self.drop_staged(staged);
            StoreError::at(&folder.path.join(name), error)
        })
    }

    /// What came before failed and is what is told; that its staged file stays behind is not.
    fn drop_staged(&self, staged: &str) {
        let _ = self.unlink(staged);
    }

    /// A name that nobody uses now: of this process and of this call.
    fn free_name(&self) -> Result<String, StoreError> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{STAGED_PREFIX}{}-{next}", process::id());
        // Left behind by a process that had our id before us.
        self.unlink(&name)?;
        Ok(name)
    }
}

/// The process that staged something under this name.
fn stager(name: &str) -> Option<Pid> {
    let (process, _) = name.strip_prefix(STAGED_PREFIX)?.split_once('-')?;
    Pid::from_raw(process.parse().ok()?)
}

fn is_gone(process: Pid) -> bool {
    rustix::process::test_kill_process(process) == Err(Errno::SRCH)
}

impl AsFd for Folder {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
