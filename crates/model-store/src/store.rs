//! Where everything is: the store, and one repository's folder in it.

use std::fs::{self, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use crate::folder::Folder;
use crate::{BlobName, Commit, RefName, RepoId, RepoPath, StoreError};

/// A Hub cache directory.
#[derive(Clone, Debug)]
pub struct ModelStore {
    root: PathBuf,
}

/// One repository's folder in the store. It need not exist yet.
#[derive(Clone, Debug)]
pub struct RepoFolder {
    root: PathBuf,
    folder_name: String,
}

/// What becomes of a blob of the right size that is in the place already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// It stays: the name is its hash.
    Keep,
    /// It makes room for the verified file, since somebody doubts its bytes.
    Replace,
}

/// How a blob came to be in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placed {
    /// The given file is the blob now.
    Moved,
    /// The blob was there already, and the given file is removed.
    AlreadyThere,
}

/// A ref's file holds 40 hexadecimal digits, and perhaps a line's end.
const LONGEST_REF_BYTES: u64 = 64;

/// How a partial's name differs from its blob's.
pub(crate) const PARTIAL_SUFFIX: &str = ".hive-partial";

impl ModelStore {
    /// The store at this directory, which need not exist yet.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The store's directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A repository's folder.
    pub fn repo(&self, repo: &RepoId) -> RepoFolder {
        RepoFolder {
            root: self.root.clone(),
            folder_name: repo.folder_name(),
        }
    }

    /// Whether symbolic links can be made in the store, which must be there.
    pub fn check_links(&self) -> Result<(), StoreError> {
        Folder::root(&self.root)?.check_links()
    }

    /// Bytes that this process may still write to the store's disk (`statvfs(3)`, `f_bavail`). A root that does not
    /// exist yet is taken to come into being on the disk of its nearest ancestor that does.
    pub fn free_bytes(&self) -> Result<u64, StoreError> {
        for folder in self.root.ancestors() {
            let folder = if folder.as_os_str().is_empty() {
                Path::new(".")
            } else {
                folder
            };
            match rustix::fs::statvfs(folder) {
                Ok(disk) => return Ok(disk.f_bavail.saturating_mul(disk.f_frsize)),
                Err(rustix::io::Errno::NOENT) => {}
                Err(error) => return Err(StoreError::at(folder, error)),
            }
        }
        let missing = io::Error::from(io::ErrorKind::NotFound);
        Err(StoreError::at(&self.root, missing))
    }
}

impl RepoFolder {
    /// The folder.
    pub fn path(&self) -> PathBuf {
        self.root.join(&self.folder_name)
    }

    /// A snapshot's folder.
    pub fn snapshot_path(&self, commit: &Commit) -> PathBuf {
        self.path().join("snapshots").join(commit.as_str())
    }

    /// A file in a snapshot.
    pub fn file_path(&self, commit: &Commit, path: &RepoPath) -> PathBuf {
        self.snapshot_path(commit).join(path.as_str())
    }

    /// A blob, present or not.
    pub fn blob_path(&self, blob: &BlobName) -> PathBuf {
        self.path().join("blobs").join(blob.as_str())
    }

    /// Where a blob's partial belongs: beside the blob, so that a rename can place it.
    pub fn partial_path(&self, blob: &BlobName) -> PathBuf {
        let name = format!("{blob}{PARTIAL_SUFFIX}");
        self.path().join("blobs").join(name)
    }

    /// The size of a blob that is in the store, `None` if it is not.
    ///
    /// A blob that is a symbolic link into the store's shared blobs is in the store; a link that leads out of the
    /// store, or nowhere, is none.
    pub fn blob_size(&self, blob: &BlobName) -> Result<Option<u64>, StoreError> {
        size_inside(&self.blob_path(blob), &self.root)
    }

    /// Whether a blob of this size is in the store.
    pub fn has_blob(&self, blob: &BlobName, size_bytes: u64) -> Result<bool, StoreError> {
        Ok(self.blob_size(blob)? == Some(size_bytes))
    }

    /// The commit that a ref points to, `None` where there is no such ref or it holds something else.
    pub fn read_ref(&self, name: &RefName) -> Result<Option<Commit>, StoreError> {
        let path = self.path().join("refs").join(name.as_str());
        match read_commit(&path) {
            Ok(commit) => Ok(commit),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(StoreError::at(&path, error)),
        }
    }

    /// Makes the folder into which partials and blobs go, and gives its path. Where no model could be published since
    /// the file system has no links, it says so now, before anything is fetched.
    pub fn prepare_blob_folder(&self) -> Result<PathBuf, StoreError> {
        let repo = self.open()?;
        repo.check_links()?;
        Ok(repo.child("blobs")?.path().to_owned())
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn folder_name(&self) -> &str {
        &self.folder_name
    }

    pub(crate) fn open(&self) -> Result<Folder, StoreError> {
        Folder::root(&self.root)?.child(&self.folder_name)
    }
}

/// The size of the regular file at `path`, over a link only if that stays inside `root`.
pub(crate) fn size_inside(path: &Path, root: &Path) -> Result<Option<u64>, StoreError> {
    let failed = |error| StoreError::at(path, error);
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if is_absent(&error) => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    if metadata.is_file() {
        return Ok(Some(metadata.len()));
    }
    if !metadata.is_symlink() {
        return Ok(None);
    }
    let real = match fs::canonicalize(path) {
        Ok(real) => real,
        Err(error) if is_absent(&error) => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let root = fs::canonicalize(root).map_err(failed)?;
    let metadata = fs::metadata(&real).map_err(failed)?;
    Ok((real.starts_with(root) && metadata.is_file()).then_some(metadata.len()))
}

/// Whether there is nothing at a path: nothing at all, a loop of links, or a file where a folder would have to be.
pub(crate) fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    ) || rustix::io::Errno::from_io_error(error) == Some(rustix::io::Errno::LOOP)
}

/// The commit that a ref's file names, `None` where it holds something else. What is no plain file, such as a pipe
/// that would never end, is not read.
pub(crate) fn read_commit(path: &Path) -> io::Result<Option<Commit>> {
    let no_wait = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(no_wait)
        .open(path)?;
    if !file.metadata()?.is_file() {
        return Ok(None);
    }
    let mut text = Vec::new();
    file.take(LONGEST_REF_BYTES).read_to_end(&mut text)?;
    let text = String::from_utf8_lossy(&text);
    Ok(Commit::new(text.trim()).ok())
}
