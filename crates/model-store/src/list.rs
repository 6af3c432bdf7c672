//! What the store holds.

mod walk;

use std::collections::{HashMap, HashSet};
use std::fs::{self, DirEntry, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::store::{PARTIAL_SUFFIX, is_absent};
use crate::{BlobName, Commit, ModelStore, RefName, RepoId, RepoPath, StoreError};

/// One repository in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRepo {
    /// Which.
    pub repo: RepoId,
    /// Its folder.
    pub path: PathBuf,
    /// Its snapshots, sorted by commit.
    pub snapshots: Vec<StoredSnapshot>,
    /// Bytes that were received and not verified yet, sorted by blob.
    pub partials: Vec<StoredPartial>,
    /// Bytes of its snapshots' files and its partials, each blob counted once.
    pub bytes_on_disk: u64,
}

/// One commit of a repository, or as much of it as was fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSnapshot {
    /// Which.
    pub commit: Commit,
    /// Its folder.
    pub path: PathBuf,
    /// The refs that point to it, sorted.
    pub refs: Vec<RefName>,
    /// Its files, sorted by path.
    pub files: Vec<StoredFile>,
    /// Bytes of its files, a blob that several paths share counted once.
    pub bytes_on_disk: u64,
    /// When a file of it was last read, as far as the file system records that.
    pub last_used: Option<SystemTime>,
    /// Whether every link leads to a blob. That files are missing altogether cannot be seen from here.
    pub state: SnapshotState,
}

/// Whether a snapshot's links lead to blobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotState {
    /// Every one.
    Complete,
    /// One at least leads to nothing.
    Broken,
}

/// One file of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredFile {
    /// Its path in the repository.
    pub path: RepoPath,
    /// Its size, `None` where the link leads to nothing.
    pub size_bytes: Option<u64>,
    /// Its blob, `None` where another tool put the file itself in the snapshot.
    pub blob: Option<BlobName>,
}

/// The bytes so far of a blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredPartial {
    /// Which.
    pub blob: BlobName,
    /// How many are received.
    pub bytes: u64,
}

/// A whole blob that no snapshot has: of a download that is not published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnlinkedBlob {
    /// Which.
    pub blob: BlobName,
    /// Its size.
    pub bytes: u64,
    /// When its last byte was written.
    pub modified: SystemTime,
}

/// Sizes by what a file is on disk, so that none is counted twice.
type Sizes = HashMap<(u64, u64), u64>;

impl ModelStore {
    /// Every repository in the store, sorted. Files and folders of other tools are passed over, and so is what
    /// disappears while it is being read.
    pub fn list(&self) -> Result<Vec<StoredRepo>, StoreError> {
        let mut repos = Vec::new();
        for entry in entries(self.root())? {
            let name = entry.file_name();
            if let Some(repo) = name.to_str().and_then(RepoId::of_folder_name) {
                repos.extend(self.show(&repo)?);
            }
        }
        repos.sort_by(|one, other| one.repo.cmp(&other.repo));
        Ok(repos)
    }

    /// One repository, `None` where the store has nothing of it.
    pub fn show(&self, repo: &RepoId) -> Result<Option<StoredRepo>, StoreError> {
        let path = self.repo(repo).path();
        if !path.is_dir() {
            return Ok(None);
        }
        let refs = walk::refs(&path)?;
        let mut sizes = Sizes::new();
        let mut snapshots = Vec::new();
        for entry in entries(&path.join("snapshots"))? {
            let name = entry.file_name();
            let commit = name.to_str().and_then(|name| Commit::new(name).ok());
            if let Some(commit) = commit.filter(|_| entry.path().is_dir()) {
                snapshots.push(walk::snapshot(commit, &entry.path(), &refs, &mut sizes)?);
            }
        }
        snapshots.sort_by(|one, other| one.commit.cmp(&other.commit));
        let partials = partials(&path.join("blobs"))?;
        let received: u64 = partials.iter().map(|partial| partial.bytes).sum();
        Ok(Some(StoredRepo {
            repo: repo.clone(),
            path,
            snapshots,
            partials,
            bytes_on_disk: sizes.values().sum::<u64>() + received,
        }))
    }

    /// The whole blobs of a repository that no snapshot has, sorted.
    pub fn unlinked_blobs(&self, repo: &RepoId) -> Result<Vec<UnlinkedBlob>, StoreError> {
        let Some(stored) = self.show(repo)? else {
            return Ok(Vec::new());
        };
        let files = stored.snapshots.iter().flat_map(|snapshot| &snapshot.files);
        let linked: HashSet<&BlobName> = files.filter_map(|file| file.blob.as_ref()).collect();
        let mut unlinked = Vec::new();
        for entry in entries(&stored.path.join("blobs"))? {
            let name = entry.file_name();
            let blob = name.to_str().and_then(|name| BlobName::new(name).ok());
            if let (Some(blob), Ok(metadata)) = (blob, fs::metadata(entry.path()))
                && let Ok(modified) = metadata.modified()
                && !linked.contains(&blob)
            {
                let bytes = metadata.len();
                unlinked.push(UnlinkedBlob {
                    blob,
                    bytes,
                    modified,
                });
            }
        }
        unlinked.sort_by(|one, other| one.blob.cmp(&other.blob));
        Ok(unlinked)
    }
}

fn partials(blobs: &Path) -> Result<Vec<StoredPartial>, StoreError> {
    let mut partials = Vec::new();
    for entry in entries(blobs)? {
        let name = entry.file_name();
        let blob = name
            .to_str()
            .and_then(|name| name.strip_suffix(PARTIAL_SUFFIX))
            .and_then(|name| BlobName::new(name).ok());
        if let (Some(blob), Ok(metadata)) = (blob, entry.metadata()) {
            let bytes = metadata.len();
            partials.push(StoredPartial { blob, bytes });
        }
    }
    partials.sort_by(|one, other| one.blob.cmp(&other.blob));
    Ok(partials)
}

/// What is in a folder; nothing where there is no such folder.
pub(crate) fn entries(folder: &Path) -> Result<Vec<DirEntry>, StoreError> {
    let failed = |error| StoreError::at(folder, error);
    match fs::read_dir(folder) {
        Ok(entries) => entries.collect::<Result<_, _>>().map_err(failed),
        Err(error) if is_absent(&error) => Ok(Vec::new()),
        Err(error) => Err(failed(error)),
    }
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}
