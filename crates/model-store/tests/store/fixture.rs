//! A store in a temporary folder.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use model_store::Existing;
use model_store::{BlobName, Commit, ModelStore, RefName, RepoFolder, RepoId, RepoKind, RepoPath};
use tempfile::TempDir;

pub(crate) struct Fixture {
    _folder: TempDir,
    pub(crate) store: ModelStore,
    pub(crate) id: RepoId,
    pub(crate) repo: RepoFolder,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = ModelStore::new(folder.path().join("hub"));
        let id = RepoId::new(RepoKind::Model, "org/name").unwrap();
        let repo = store.repo(&id);
        Self {
            _folder: folder,
            store,
            id,
            repo,
        }
    }

    /// Writes a partial and gives it as a download would: open, with its path.
    pub(crate) fn partial(&self, blob: &BlobName, content: &[u8]) -> (File, PathBuf) {
        self.repo.prepare_blob_folder().unwrap();
        let path = self.repo.partial_path(blob);
        fs::write(&path, content).unwrap();
        (File::open(&path).unwrap(), path)
    }

    pub(crate) fn place(&self, digit: char, content: &[u8]) -> BlobName {
        let blob = blob(digit);
        let (file, partial) = self.partial(&blob, content);
        self.repo
            .place_blob(&file, &partial, &blob, Existing::Keep)
            .unwrap();
        blob
    }

    /// Publishes these files at the commit of `digit`, as `main`.
    pub(crate) fn publish(&self, digit: char, files: &[(&str, &BlobName)]) -> Commit {
        let commit = commit(digit);
        let files: Vec<_> = files
            .iter()
            .map(|(name, blob)| (path(name), (*blob).clone()))
            .collect();
        self.repo.publish(&commit, &files, Some(&main())).unwrap();
        commit
    }
}

pub(crate) fn blob(digit: char) -> BlobName {
    BlobName::new(&digit.to_string().repeat(64)).unwrap()
}

pub(crate) fn commit(digit: char) -> Commit {
    Commit::new(&digit.to_string().repeat(40)).unwrap()
}

pub(crate) fn path(name: &str) -> RepoPath {
    RepoPath::new(name).unwrap()
}

pub(crate) fn main() -> RefName {
    RefName::new("main").unwrap()
}

/// Every path below `folder`, sorted, links with their targets.
pub(crate) fn tree(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let entry = entry.unwrap().path();
            let name = entry.strip_prefix(folder).unwrap().display().to_string();
            if entry.is_symlink() {
                let target = fs::read_link(&entry).unwrap();
                found.push(format!("{name} -> {}", target.display()));
            } else if entry.is_dir() {
                folders.push(entry);
            } else {
                found.push(name);
            }
        }
    }
    found.sort();
    found
}
