//! A verified file becomes a blob: one rename of exactly that file.

use std::fs::File;
use std::path::Path;

use rustix::fs::{CWD, RenameFlags, Stat};
use rustix::io::Errno;

use crate::folder::Folder;
use crate::{BlobName, Existing, Placed, RepoFolder, StoreError};

impl RepoFolder {
    /// Moves a verified, synced file to its place in `blobs/`, durably.
    ///
    /// `path` is on the store's disk, such as [`Self::partial_path`], and `file` is what was verified: if the path
    /// leads to another file by now, nothing is placed. With [`Existing::Keep`] a blob that is there with the same
    /// size stays, and the file at `path` is removed; one with another size, or a link to nothing, was never right
    /// and is replaced.
    pub fn place_blob(
        &self,
        file: &File,
        path: &Path,
        blob: &BlobName,
        existing: Existing,
    ) -> Result<Placed, StoreError> {
        let verified = rustix::fs::fstat(file).map_err(|error| StoreError::at(path, error))?;
        if !is_same_file(path, &verified)? {
            let path = path.to_owned();
            return Err(StoreError::PartialReplaced { path });
        }
        let blobs = self.open()?.child("blobs")?;
        let size_bytes = u64::try_from(verified.st_size).unwrap_or_default();
        match existing {
            Existing::Keep => {
                let is_there = self.has_blob(blob, size_bytes)?;
                if is_there || !self.move_to(path, &blobs, blob, size_bytes)? {
                    unlink(path)?;
                    return Ok(Placed::AlreadyThere);
                }
            }
            Existing::Replace => replace(path, &blobs, blob)?,
        }
        let placed = self.blob_path(blob);
        if !is_same_file(&placed, &verified)? {
            // The path was given to another file in the last moment, and that one is not verified.
            blobs.unlink(blob.as_str())?;
            let path = path.to_owned();
            return Err(StoreError::PartialReplaced { path });
        }
        blobs.sync()?;
        Ok(Placed::Moved)
    }

    /// Renames without replacing a right blob. False: one came meanwhile.
    fn move_to(
        &self,
        path: &Path,
        blobs: &Folder,
        blob: &BlobName,
        size_bytes: u64,
    ) -> Result<bool, StoreError> {
        let name = blob.as_str();
        match rustix::fs::renameat_with(CWD, path, blobs, name, RenameFlags::NOREPLACE) {
            Ok(()) => return Ok(true),
            Err(Errno::EXIST) if self.has_blob(blob, size_bytes)? => return Ok(false),
            // What is there is wrong, or this file system cannot refuse to replace.
            Err(Errno::EXIST | Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {}
            Err(error) => return Err(StoreError::at(path, error)),
        }
        replace(path, blobs, blob)?;
        Ok(true)
    }
}

fn replace(path: &Path, blobs: &Folder, blob: &BlobName) -> Result<(), StoreError> {
    rustix::fs::renameat(CWD, path, blobs, blob.as_str())
        .map_err(|error| StoreError::at(path, error))
}

fn is_same_file(path: &Path, verified: &Stat) -> Result<bool, StoreError> {
    match rustix::fs::lstat(path) {
        Ok(found) => Ok((found.st_dev, found.st_ino) == (verified.st_dev, verified.st_ino)),
        Err(Errno::NOENT) => Ok(false),
        Err(error) => Err(StoreError::at(path, error)),
    }
}

fn unlink(path: &Path) -> Result<(), StoreError> {
    match rustix::fs::unlink(path) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(StoreError::at(path, error)),
    }
}
