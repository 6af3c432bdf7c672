//! A blob that another repository of the store has just received, taken into one's own: linked, else copied.
//!
//! It is right by construction: its bytes were verified under the same hash, and a copy is checked for its length.

use std::{
    fs::{self, File, OpenOptions},
    io,
    path::Path,
};

use model_store::{BlobName, Existing, RepoFolder, StoreError};

use super::{failure, origin};
use crate::ProvisionError;

/// How the name of a copy that is being made differs from its blob's.
const COPY_SUFFIX: &str = ".hive-copy";

/// Takes `blob` over from the folder that has it. Blocks on the file system, and for a copy as long as that takes.
pub(crate) fn take_over(
    blob: &BlobName,
    bytes: u64,
    from: &RepoFolder,
    to: &RepoFolder,
) -> Result<(), ProvisionError> {
    let target = to.blob_path(blob);
    // One that is a link into the store's shared blobs is followed: what counts is the file.
    let source = fs::canonicalize(from.blob_path(blob))
        .map_err(|error| failure::of_disk(error, from.blob_path(blob)))?;
    let folder = to.prepare_blob_folder().map_err(failure::of_store)?;
    origin::clear(&to.partial_path(blob))?;
    match fs::hard_link(&source, &target) {
        Ok(()) => return sync(&folder),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            if to.has_blob(blob, bytes).map_err(failure::of_store)? {
                return Ok(());
            }
        }
        // Another file system, one without hard links, or a file with too many: a copy does as well.
        Err(_) => {}
    }
    copy(blob, &source, &folder, to)
}

fn copy(
    blob: &BlobName,
    source: &Path,
    folder: &Path,
    to: &RepoFolder,
) -> Result<(), ProvisionError> {
    let path = folder.join(format!("{blob}{COPY_SUFFIX}"));
    let failed = |error| failure::of_disk(error, path.clone());
    // Left behind by a process that was killed. Two that copy at once take each other's file away, and the store
    // places only a file that is still at its path.
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let copied = copy_to(source, &path).map_err(failed)?;
    let placed = to.place_blob(&copied, &path, blob, Existing::Keep);
    placed.map(|_| ()).map_err(|error: StoreError| {
        // That the copy could not be placed is what is told; that it stays behind is not.
        let _ = fs::remove_file(&path);
        failure::of_store(error)
    })
}

fn copy_to(source: &Path, path: &Path) -> io::Result<File> {
    let mut from = File::open(source)?;
    let mut to = OpenOptions::new().write(true).create_new(true).open(path)?;
    let copied = io::copy(&mut from, &mut to).and_then(|_| to.sync_all());
    if let Err(error) = copied {
        // The copying failed and is what is told.
        let _ = fs::remove_file(path);
        return Err(error);
    }
    Ok(to)
}

/// Makes a new link survive a loss of power.
fn sync(folder: &Path) -> Result<(), ProvisionError> {
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    match synced {
        // Some network file systems cannot sync a folder; they have no better to offer.
        Err(error) if error.kind() != io::ErrorKind::InvalidInput => {
            Err(failure::of_disk(error, folder.to_owned()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use model_store::{ModelStore, RepoId, RepoKind};
    use tempfile::TempDir;

    use super::*;

    fn folder(store: &TempDir, name: &str) -> RepoFolder {
        let repo = RepoId::new(RepoKind::Model, name).unwrap();
        ModelStore::new(store.path()).repo(&repo)
    }

    #[test]
    fn a_blob_of_another_repository_is_linked_in_place_of_a_wrong_one_and_copied_where_it_cannot_be_linked()
     {
        let store = TempDir::new().unwrap();
        let (from, to) = (folder(&store, "org/a"), folder(&store, "org/b"));
        let blob = BlobName::new(&"1".repeat(64)).unwrap();
        from.prepare_blob_folder().unwrap();
        fs::write(from.blob_path(&blob), "right").unwrap();

        take_over(&blob, 5, &from, &to).unwrap();
        let inode = |folder: &RepoFolder| fs::metadata(folder.blob_path(&blob)).unwrap().ino();
        assert_eq!(inode(&from), inode(&to));
        take_over(&blob, 5, &from, &to).unwrap();

        fs::remove_file(to.blob_path(&blob)).unwrap();
        fs::write(to.blob_path(&blob), "wrong size").unwrap();
        take_over(&blob, 5, &from, &to).unwrap();
        assert_eq!(fs::read_to_string(to.blob_path(&blob)).unwrap(), "right");
        assert_ne!(inode(&from), inode(&to));
        assert_eq!(fs::read_dir(to.path().join("blobs")).unwrap().count(), 1);
    }
}
