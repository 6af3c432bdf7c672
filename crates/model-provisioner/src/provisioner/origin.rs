//! Which commit a partial was begun for: a note beside it, so that bytes of a branch that has moved can be named.
//!
//! The note proves nothing and nothing rests on it: a partial is gone on with by its own record, whatever it says.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
};

use downloader::{BootId, Digest, discard_partial, resumable_bytes};
use model_store::{Commit, ModelStore, RepoId};

use super::failure;
use crate::ProvisionError;

/// How the note's name differs from its partial's.
const NOTE_SUFFIX: &str = ".commit";

/// Notes for which commit a partial is received. Blocks on the file system, as everything here.
pub(crate) fn note(partial: &Path, commit: &Commit) -> Result<(), ProvisionError> {
    let path = path_beside(partial);
    fs::write(&path, commit.as_str()).map_err(|error| failure::of_disk(error, path))
}

/// Takes the note of a partial that is no more away.
pub(crate) fn forget(partial: &Path) -> Result<(), ProvisionError> {
    let path = path_beside(partial);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failure::of_disk(error, path)),
        _ => Ok(()),
    }
}

/// Takes everything of a partial away whose blob is here: it has had its day, or its process died between the two. One
/// that another program holds is that program's.
pub(crate) fn clear(partial: &Path) -> Result<(), ProvisionError> {
    if discard_partial(partial).unwrap_or(false) {
        forget(partial)?;
    }
    Ok(())
}

/// The bytes that partials of a repository keep, by the commit for which they were received. `passes` says of which
/// blobs.
pub(crate) fn kept(
    store: &ModelStore,
    repo: &RepoId,
    boot_id: &BootId,
    passes: impl Fn(&Digest) -> bool,
) -> Result<BTreeMap<Commit, u64>, ProvisionError> {
    let mut kept = BTreeMap::new();
    for (digest, path) in partials(store, repo, passes)? {
        if let Some(commit) = read(&path) {
            *kept.entry(commit).or_default() += resumable_bytes(&path, digest, boot_id);
        }
    }
    Ok(kept)
}

/// Removes what was received for a commit, and says how many bytes that were.
pub(crate) fn discard(
    store: &ModelStore,
    repo: &RepoId,
    commit: &Commit,
    boot_id: &BootId,
    passes: impl Fn(&Digest) -> bool,
) -> Result<u64, ProvisionError> {
    let mut discarded = 0;
    for (digest, path) in partials(store, repo, passes)? {
        if read(&path).as_ref() != Some(commit) {
            continue;
        }
        let bytes = resumable_bytes(&path, digest, boot_id);
        let is_gone = discard_partial(&path).map_err(|error| {
            let source = io::Error::other(error);
            failure::of_disk(source, path.clone())
        })?;
        if is_gone {
            forget(&path)?;
            discarded += bytes;
        }
    }
    Ok(discarded)
}

fn partials(
    store: &ModelStore,
    repo: &RepoId,
    passes: impl Fn(&Digest) -> bool,
) -> Result<Vec<(Digest, PathBuf)>, ProvisionError> {
    let folder = store.repo(repo);
    let stored = store.show(repo).map_err(failure::of_store)?;
    let partials = stored.into_iter().flat_map(|stored| stored.partials);
    let passing = partials.filter_map(|partial| {
        let digest = Digest::from_hex(partial.blob.as_str()).ok()?;
        passes(&digest).then(|| (digest, folder.partial_path(&partial.blob)))
    });
    Ok(passing.collect())
}

fn read(partial: &Path) -> Option<Commit> {
    let text = fs::read_to_string(path_beside(partial)).ok()?;
    Commit::new(text.trim()).ok()
}

fn path_beside(partial: &Path) -> PathBuf {
    let mut path = OsString::from(partial);
    path.push(NOTE_SUFFIX);
    path.into()
}
