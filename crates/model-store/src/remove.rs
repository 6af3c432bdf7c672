//! Removing what a person no longer wants, and nothing that something else still needs.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::folder::Folder;
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
        let root = Folder::root(self.root())?;
        let name = repo.folder_name();
        let Some(folder) = root.existing(&name)? else {
            return Ok(None);
        };
        let place = Place {
            root: &root,
            name: &name,
            folder: &folder,
        };
        let Some(revision) = revision else {
            return place.remove(&stored).map(Some);
        };
        let is_wanted = |snapshot: &StoredSnapshot| match revision {
            Revision::Commit(commit) => snapshot.commit == *commit,
            Revision::Ref(name) => snapshot.refs.contains(name),
        };
        match stored.snapshots.iter().find(|snapshot| is_wanted(snapshot)) {
            None => Ok(None),
            Some(snapshot) => place.remove_snapshot(&stored, snapshot).map(Some),
        }
    }
}

/// A repository's folder, held open in the store's: what is removed is in it, wherever its path leads meanwhile.
struct Place<'a> {
    root: &'a Folder,
    name: &'a str,
    folder: &'a Folder,
}

impl Place<'_> {
    fn remove(&self, stored: &StoredRepo) -> Result<Removed, StoreError> {
        let mut bytes_freed = 0;
        let mut commits = Vec::new();
        for snapshot in &stored.snapshots {
            bytes_freed += size_of_plain_files(snapshot)?;
            self.remove_refs(snapshot)?;
            commits.push(snapshot.commit.clone());
        }
        if let Some(blobs) = self.folder.existing("blobs")? {
            for name in blobs.names()? {
                bytes_freed += blobs.bytes_freed_by(&name)?;
            }
        }
        self.root.remove_tree(self.name)?;
        Ok(Removed {
            commits,
            bytes_freed,
        })
    }

    fn remove_snapshot(
        &self,
        stored: &StoredRepo,
        snapshot: &StoredSnapshot,
    ) -> Result<Removed, StoreError> {
        let commit = &snapshot.commit;
        let mut bytes_freed = size_of_plain_files(snapshot)?;
        self.remove_refs(snapshot)?;
        self.remove_tree_in("snapshots", commit.as_str())?;
        if let Some(blobs) = self.folder.existing("blobs")? {
            for blob in blobs_of_this_one_alone(stored, snapshot) {
                bytes_freed += blobs.bytes_freed_by(blob.as_str())?;
                blobs.unlink(blob.as_str())?;
            }
            remove_orphans(&blobs)?;
        }
        // What other tools noted about the commit.
        self.remove_tree_in("trees", &format!("{commit}.json"))?;
        self.remove_tree_in(".no_exist", commit.as_str())?;
        for name in ["snapshots", "blobs", "refs", "trees", ".no_exist"] {
            self.folder.remove_if_empty(name);
        }
        self.root.remove_if_empty(self.name);
        Ok(Removed {
            commits: vec![commit.clone()],
            bytes_freed,
        })
    }

    fn remove_refs(&self, snapshot: &StoredSnapshot) -> Result<(), StoreError> {
        let Some(refs) = self.folder.existing("refs")? else {
            return Ok(());
        };
        for name in &snapshot.refs {
            remove_ref(&refs, name.as_str())?;
        }
        Ok(())
    }

    fn remove_tree_in(&self, folder: &str, name: &str) -> Result<(), StoreError> {
        match self.folder.existing(folder)? {
            Some(folder) => folder.remove_tree(name),
            None => Ok(()),
        }
    }
}

/// Removes a ref, and the folders on the way to it that are empty then.
fn remove_ref(folder: &Folder, name: &str) -> Result<(), StoreError> {
    let Some((first, rest)) = name.split_once('/') else {
        return folder.unlink(name);
    };
    if let Some(below) = folder.existing(first)? {
        remove_ref(&below, rest)?;
        folder.remove_if_empty(first);
    }
    Ok(())
}

/// Removes what stands beside partials, such as their records, where the partial itself is gone.
fn remove_orphans(blobs: &Folder) -> Result<(), StoreError> {
    let beside = format!("{PARTIAL_SUFFIX}.");
    let names = blobs.names()?;
    for name in &names {
        let partial = name.to_str().and_then(|name| {
            let (blob, _) = name.split_once(&beside)?;
            let blob = BlobName::new(blob).ok()?;
            Some(format!("{blob}{PARTIAL_SUFFIX}"))
        });
        if partial.is_some_and(|partial| !names.iter().any(|name| **name == *partial)) {
            blobs.unlink(name)?;
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
