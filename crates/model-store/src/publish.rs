//! A whole model becomes visible: its links first, then its ref.

use crate::folder::Folder;
use crate::{BlobName, Commit, RefName, RepoFolder, RepoPath, StoreError};

impl RepoFolder {
    /// Links `files` into the commit's snapshot and then points `reference` to the commit, each step durable before
    /// the next. Repeatable: what is right already stays, what is wrong is replaced without being missing meanwhile.
    ///
    /// Every blob must be in the store; one that is not is an error before anything is linked.
    pub fn publish(
        &self,
        commit: &Commit,
        files: &[(RepoPath, BlobName)],
        reference: Option<&RefName>,
    ) -> Result<(), StoreError> {
        for (_, blob) in files {
            if self.blob_size(blob)?.is_none() {
                let blob = blob.clone();
                return Err(StoreError::BlobMissing { blob });
            }
        }
        let repo = self.open()?;
        repo.clear_staged()?;
        let snapshot = repo.child("snapshots")?.child(commit.as_str())?;
        link_all(snapshot, files, &repo)?;
        match reference {
            Some(reference) => point(&repo, reference, commit),
            None => Ok(()),
        }
    }
}

/// Walks the tree of files depth first, with the folders on the way to the current file open.
fn link_all(
    snapshot: Folder,
    files: &[(RepoPath, BlobName)],
    staging: &Folder,
) -> Result<(), StoreError> {
    let mut files: Vec<_> = files.iter().collect();
    files.sort();
    let mut way = Way::new(snapshot);
    for (path, blob) in files {
        let (folders, name) = path.folders_and_name();
        let folder = way.go_to(&folders)?;
        let up = "../".repeat(folders.len() + 2);
        folder.put_link(name, &format!("{up}blobs/{blob}"), staging)?;
    }
    way.go_to(&[])?.sync()
}

/// The folders from a snapshot down to where links are being made. Whatever is left is synced.
struct Way<'a> {
    snapshot: Folder,
    below: Vec<(&'a str, Folder)>,
}

impl<'a> Way<'a> {
    const fn new(snapshot: Folder) -> Self {
        Self {
            snapshot,
            below: Vec::new(),
        }
    }

    fn go_to(&mut self, folders: &[&'a str]) -> Result<&Folder, StoreError> {
        let shared = folders
            .iter()
            .zip(&self.below)
            .take_while(|(name, (open, _))| *name == open)
            .count();
        while self.below.len() > shared {
            self.here().sync()?;
            self.below.pop();
        }
        for name in &folders[shared..] {
            let next = self.here().child(name)?;
            self.below.push((name, next));
        }
        Ok(self.here())
    }

    fn here(&self) -> &Folder {
        self.below
            .last()
            .map_or(&self.snapshot, |(_, folder)| folder)
    }
}

fn point(repo: &Folder, reference: &RefName, commit: &Commit) -> Result<(), StoreError> {
    let (folders, name) = reference.folders_and_name();
    let mut folder = repo.child("refs")?;
    for next in folders {
        folder = folder.child(next)?;
    }
    folder.put_file(name, commit.as_str().as_bytes(), repo)
}
