//! Removing what a person no longer wants, and nothing that something else still needs.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::list::entries;
use crate::store::{PARTIAL_SUFFIX, is_absent};
use crate::{
    BlobName, Commit, ModelStore, RepoId, Revision, StoreError, StoredRepo, StoredSnapshot,
};

/// What a removal did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removed {
    /// The commits that are gone, sorted.
    pub commits: Vec<Commit>,
    /// Bytes that are free again.
    pub bytes_freed: u64,
}

impl ModelStore {
    /// Removes a repository with its partials and all that other tools left in its folder, or one revision of it:
    /// its refs first, its snapshot, then the blobs that no other snapshot needs. `None` where the store has no
    /// such repository or revision.
    ///
    /// Of a blob in the store's shared blobs only the repository's link to it is removed: other repositories may
    /// need the blob itself. Nobody may be publishing or using what is removed; that is the caller's to know.
    pub fn remove(
        &self,
        repo: &RepoId,
        revision: Option<&Revision>,
    ) -> Result<Option<Removed>, StoreError> {
        let Some(stored) = self.show(repo)? else {
            return Ok(None);
        };
        refuse_link(&stored.path)?;
        let Some(revision) = revision else {
            return remove_repo(&stored).map(Some);
        };
        let is_wanted = |snapshot: &StoredSnapshot| match revision {
            Revision::Commit(commit) => snapshot.commit == *commit,
            Revision::Ref(name) => snapshot.refs.contains(name),
        };
        match stored.snapshots.iter().find(|snapshot| is_wanted(snapshot)) {
            None => Ok(None),
            Some(snapshot) => remove_snapshot(&stored, snapshot).map(Some),
        }
    }
}

/// A repository's folder that leads elsewhere is not ours to empty.
fn refuse_link(path: &Path) -> Result<(), StoreError> {
    if path.is_symlink() {
        let path = path.to_owned();
        return Err(StoreError::Tampered { path });
    }
    Ok(())
}

fn remove_repo(stored: &StoredRepo) -> Result<Removed, StoreError> {
    let mut bytes_freed = 0;
    let mut commits = Vec::new();
    for snapshot in &stored.snapshots {
        bytes_freed += size_of_plain_files(snapshot)?;
        remove_refs(stored, snapshot)?;
        commits.push(snapshot.commit.clone());
    }
    for entry in entries(&stored.path.join("blobs"))? {
        bytes_freed += size_of_itself(&entry.path())?;
    }
    remove_tree(&stored.path)?;
    Ok(Removed {
        commits,
        bytes_freed,
    })
}

fn remove_snapshot(stored: &StoredRepo, snapshot: &StoredSnapshot) -> Result<Removed, StoreError> {
    let mut bytes_freed = size_of_plain_files(snapshot)?;
    remove_refs(stored, snapshot)?;
    remove_tree(&snapshot.path)?;
    for blob in blobs_of_this_one_alone(stored, snapshot) {
        let path = stored.path.join("blobs").join(blob.as_str());
        bytes_freed += size_of_itself(&path)?;
        remove_file(&path)?;
    }
    remove_orphans(&stored.path.join("blobs"))?;
    // What other tools noted about the commit.
    let commit = &snapshot.commit;
    remove_file(&stored.path.join("trees").join(format!("{commit}.json")))?;
    remove_tree(&stored.path.join(".no_exist").join(commit.as_str()))?;
    for folder in ["snapshots", "blobs", "refs", "trees", ".no_exist", ""] {
        remove_if_empty(&stored.path.join(folder));
    }
    Ok(Removed {
        commits: vec![commit.clone()],
        bytes_freed,
    })
}

/// Removes what stands beside partials, such as their records, where the partial itself is gone.
fn remove_orphans(blobs: &Path) -> Result<(), StoreError> {
    let beside = format!("{PARTIAL_SUFFIX}.");
    for entry in entries(blobs)? {
        let name = entry.file_name();
        let partial = name.to_str().and_then(|name| {
            let (blob, _) = name.split_once(&beside)?;
            let blob = BlobName::new(blob).ok()?;
            Some(blobs.join(format!("{blob}{PARTIAL_SUFFIX}")))
        });
        if partial.is_some_and(|partial| !partial.exists()) {
            remove_file(&entry.path())?;
        }
    }
    Ok(())
}

fn blobs_of_this_one_alone<'a>(
    stored: &'a StoredRepo,
    snapshot: &'a StoredSnapshot,
) -> BTreeSet<&'a BlobName> {
    let blobs_of =
        |snapshot: &'a StoredSnapshot| snapshot.files.iter().filter_map(|file| file.blob.as_ref());
    let mut blobs: BTreeSet<_> = blobs_of(snapshot).collect();
    let others = stored
        .snapshots
        .iter()
        .filter(|other| other.commit != snapshot.commit);
    for blob in others.flat_map(blobs_of) {
        blobs.remove(blob);
    }
    blobs
}

fn remove_refs(stored: &StoredRepo, snapshot: &StoredSnapshot) -> Result<(), StoreError> {
    let refs = stored.path.join("refs");
    for name in &snapshot.refs {
        let path = refs.join(name.as_str());
        remove_file(&path)?;
        path.ancestors()
            .skip(1)
            .take_while(|folder| *folder != refs)
            .for_each(remove_if_empty);
    }
    Ok(())
}

/// Bytes of the files that another tool put into the snapshot itself.
fn size_of_plain_files(snapshot: &StoredSnapshot) -> Result<u64, StoreError> {
    snapshot
        .files
        .iter()
        .filter(|file| file.blob.is_none())
        .map(|file| size_of_itself(&snapshot.path.join(file.path.as_str())))
        .sum()
}

/// Bytes that removing this path frees: none for a link, and none for a file that has another name too.
fn size_of_itself(path: &Path) -> Result<u64, StoreError> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_file() && metadata.nlink() == 1 => Ok(metadata.len()),
        Ok(_) => Ok(0),
        Err(error) if is_absent(&error) => Ok(0),
        Err(error) => Err(StoreError::at(path, error)),
    }
}

fn remove_file(path: &Path) -> Result<(), StoreError> {
    absent_is_fine(path, fs::remove_file(path))
}

/// Removes a folder with all that is in it. Links are removed, not followed.
fn remove_tree(path: &Path) -> Result<(), StoreError> {
    absent_is_fine(path, fs::remove_dir_all(path))
}

fn absent_is_fine(path: &Path, result: io::Result<()>) -> Result<(), StoreError> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StoreError::at(path, error)),
        _ => Ok(()),
    }
}

fn remove_if_empty(folder: &Path) {
    // A folder that is not empty, or gone already, stays as it is: both are fine.
    let _ = fs::remove_dir(folder);
}
