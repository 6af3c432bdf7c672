//! Reading the trees of a repository's folder, in which other tools leave things too.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use super::{Sizes, SnapshotState, StoredFile, StoredSnapshot, entries, identity};
use crate::store::{is_absent, read_commit};
use crate::{BlobName, Commit, RefName, RepoPath, StoreError};

/// Every ref with the commit that it points to.
pub(super) fn refs(repo: &Path) -> Result<Vec<(RefName, Commit)>, StoreError> {
    let mut refs = Vec::new();
    for_each_file(&repo.join("refs"), "", &mut |name, path| {
        let commit = read_commit(path);
        if let (Ok(name), Ok(Some(commit))) = (RefName::new(name), commit) {
            refs.push((name, commit));
        }
        Ok(())
    })?;
    refs.sort();
    Ok(refs)
}

pub(super) fn snapshot(
    commit: Commit,
    path: &Path,
    refs: &[(RefName, Commit)],
    sizes: &mut Sizes,
) -> Result<StoredSnapshot, StoreError> {
    let mut files = Vec::new();
    let mut own_sizes = Sizes::new();
    let mut last_used = None;
    for_each_file(path, "", &mut |name, file| {
        if let Ok(name) = RepoPath::new(name) {
            files.push(stored_file(name, file, &mut own_sizes, &mut last_used)?);
        }
        Ok(())
    })?;
    files.sort_by(|one, other| one.path.cmp(&other.path));
    let is_broken = files.iter().any(|file| file.size_bytes.is_none());
    let bytes_on_disk = own_sizes.values().sum();
    sizes.extend(own_sizes);
    Ok(StoredSnapshot {
        refs: refs
            .iter()
            .filter(|(_, target)| *target == commit)
            .map(|(name, _)| name.clone())
            .collect(),
        commit,
        path: path.to_owned(),
        files,
        bytes_on_disk,
        last_used,
        state: if is_broken {
            SnapshotState::Broken
        } else {
            SnapshotState::Complete
        },
    })
}

fn stored_file(
    path: RepoPath,
    file: &Path,
    sizes: &mut Sizes,
    last_used: &mut Option<SystemTime>,
) -> Result<StoredFile, StoreError> {
    let blob = blob_of_link(file);
    let size_bytes = match fs::metadata(file) {
        Ok(metadata) => {
            sizes.insert(identity(&metadata), metadata.len());
            *last_used = (*last_used).max(metadata.accessed().ok());
            Some(metadata.len())
        }
        Err(error) if is_absent(&error) => None,
        Err(error) => return Err(StoreError::at(file, error)),
    };
    Ok(StoredFile {
        path,
        size_bytes,
        blob,
    })
}

/// The blob that a snapshot's link names.
pub(crate) fn blob_of_link(link: &Path) -> Option<BlobName> {
    let target = fs::read_link(link).ok()?;
    BlobName::new(target.file_name()?.to_str()?).ok()
}

/// Calls `found` with the path below `folder`, and the path itself, of everything that is not a folder. Links are
/// not followed; names that are not text cannot have come from the Hub and are passed over.
fn for_each_file(
    folder: &Path,
    prefix: &str,
    found: &mut impl FnMut(&str, &Path) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    for entry in entries(folder)? {
        let file_name = entry.file_name();
        let (Some(name), Ok(kind)) = (file_name.to_str(), entry.file_type()) else {
            continue;
        };
        let name = format!("{prefix}{name}");
        if kind.is_dir() {
            for_each_file(&entry.path(), &format!("{name}/"), found)?;
        } else {
            found(&name, &entry.path())?;
        }
    }
    Ok(())
}
