//! Looks at a store: whatever happened, a path in it has the right bytes, and nothing lies there that should not.

mod partial;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};
use fake_hub::{Content, Repository};

use crate::model::MAIN;

const PIECE_BYTES: u64 = 1024 * 1024;

/// What may be in a store.
#[derive(Default)]
pub(crate) struct Inspection {
    /// Every blob that the Hub has ever had, by its name.
    blobs: BTreeMap<String, Content>,
    /// Every link that a download that succeeded has made, by its path in the store, with its blob.
    links: BTreeMap<PathBuf, String>,
    /// Every ref that a download that succeeded has made, with the commit that it must name.
    refs: BTreeMap<PathBuf, String>,
    /// What another program left in the way of a blob, until that is fetched.
    litter: BTreeSet<PathBuf>,
    littered_blob: String,
}

impl Inspection {
    /// The Hub has this state of a repository.
    pub(crate) fn knows(&mut self, repository: &Repository) {
        for path in repository.paths() {
            if let (Some(etag), Some(content)) = (repository.etag(path), repository.content(path)) {
                self.blobs.insert(etag.to_owned(), content.clone());
            }
        }
    }

    /// A download of these files has succeeded.
    pub(crate) fn published(&mut self, repository: &Repository, paths: &[String]) -> Result<()> {
        let folder = PathBuf::from(folder_name(repository.id()));
        let snapshot = folder.join("snapshots").join(repository.commit());
        for path in paths {
            let etag = repository.etag(path).context("a planned file exists")?;
            self.links.insert(snapshot.join(path), etag.to_owned());
        }
        self.refs
            .insert(folder.join("refs/main"), repository.commit());
        Ok(())
    }

    /// Another program left these files in the way of a blob.
    pub(crate) fn littered(&mut self, blob: &str, paths: impl Iterator<Item = PathBuf>) {
        self.litter.extend(paths);
        blob.clone_into(&mut self.littered_blob);
    }

    /// A download has fetched these files, and cleared what was in its way.
    pub(crate) fn fetched(&mut self, repository: &Repository, paths: &[String]) {
        let mut etags = paths.iter().filter_map(|path| repository.etag(path));
        if repository.id() == MAIN && etags.any(|etag| etag == self.littered_blob) {
            self.litter.clear();
        }
    }

    fn is_littered(&self, name: &str) -> bool {
        !self.litter.is_empty() && name.starts_with(&self.littered_blob)
    }

    /// Looks at every path. What partials hold is compared with the Hub's bytes only where the Hub was `truthful`.
    pub(crate) fn look(&self, root: &Path, truthful: bool) -> Result<()> {
        let mut seen = Seen::default();
        for path in paths_below(root)? {
            let relative = path.strip_prefix(root)?.to_owned();
            self.look_at(root, &relative, truthful, &mut seen)
                .with_context(|| format!("`{}`", relative.display()))?;
        }
        for path in self.links.keys().chain(self.refs.keys()) {
            ensure!(
                seen.published.contains(path),
                "`{}` is missing",
                path.display()
            );
        }
        for path in &seen.companions {
            let partial = partial::owner(path);
            ensure!(
                seen.partials.contains(&partial),
                "`{}` belongs to no partial",
                path.display()
            );
        }
        Ok(())
    }

    fn look_at(&self, root: &Path, relative: &Path, truthful: bool, seen: &mut Seen) -> Result<()> {
        let path = root.join(relative);
        let parts: Vec<&str> = relative.iter().filter_map(|part| part.to_str()).collect();
        match parts.as_slice() {
            [".locks", _, name] if name.strip_suffix(".lock").is_some() => Ok(()),
            [_, "blobs", _] if self.litter.contains(relative) => {
                seen.partials.insert(relative.to_owned());
                Ok(())
            }
            [_, "blobs", name] if partial::is_companion(name) && self.is_littered(name) => Ok(()),
            [_, "blobs", name] if name.ends_with(".hive-partial") => {
                seen.partials.insert(relative.to_owned());
                let content = self.blobs.get(name.trim_end_matches(".hive-partial"));
                partial::look(&path, content.filter(|_| truthful))
            }
            [_, "blobs", name] if partial::is_companion(name) => {
                seen.companions.insert(relative.to_owned());
                Ok(())
            }
            [_, "blobs", name] => {
                let content = self.blobs.get(*name).context("no blob of the Hub")?;
                ensure!(!path.is_symlink(), "a link in the place of a blob");
                same_bytes(
                    &path,
                    content,
                    std::slice::from_ref(&(0..content.size_bytes())),
                )?;
                ensure!(
                    fs::metadata(&path)?.len() == content.size_bytes(),
                    "a wrong size"
                );
                Ok(())
            }
            [_, "snapshots", _, _, ..] => {
                seen.published.insert(relative.to_owned());
                let blob = self
                    .links
                    .get(relative)
                    .context("no download published it")?;
                let target = fs::canonicalize(&path).context("a link to nothing")?;
                ensure!(
                    target.ends_with(Path::new("blobs").join(blob)),
                    "leads to {}",
                    target.display()
                );
                Ok(())
            }
            [_, "refs", ..] => {
                seen.published.insert(relative.to_owned());
                let commit = self.refs.get(relative).context("no download made it")?;
                let named = fs::read_to_string(&path)?;
                ensure!(named == *commit, "names {named} instead of {commit}");
                Ok(())
            }
            _ => bail!("does not belong into a store"),
        }
    }

    /// The bytes that the store has of a blob: all of it, or what the record of its partial claims.
    pub(crate) fn kept_bytes(root: &Path, repository: &str, blob: &str) -> Result<u64> {
        let blobs = root.join(folder_name(repository)).join("blobs");
        match fs::metadata(blobs.join(blob)) {
            Ok(blob) => Ok(blob.len()),
            Err(_) => partial::claimed_bytes(&blobs.join(format!("{blob}.hive-partial"))),
        }
    }
}

#[derive(Default)]
struct Seen {
    published: BTreeSet<PathBuf>,
    partials: BTreeSet<PathBuf>,
    /// Records and notes.
    companions: BTreeSet<PathBuf>,
}

/// The folder of a repository in the Hub's cache layout.
pub(crate) fn folder_name(repository: &str) -> String {
    format!("models--{}", repository.replace('/', "--"))
}

/// Whether these stretches of a file have the right bytes.
fn same_bytes(path: &Path, content: &Content, stretches: &[std::ops::Range<u64>]) -> Result<()> {
    use std::os::unix::fs::FileExt;
    let file = fs::File::open(path)?;
    for stretch in stretches {
        let mut at = stretch.start;
        while at < stretch.end {
            let expected = content.read(at..stretch.end.min(at + PIECE_BYTES));
            ensure!(!expected.is_empty(), "it goes on after the end of the file");
            let mut found = vec![0; expected.len()];
            file.read_exact_at(&mut found, at)
                .with_context(|| format!("too short at byte {at}"))?;
            ensure!(
                found == expected,
                "WRONG BYTES within {} from byte {at} on",
                found.len()
            );
            at += expected.len() as u64;
        }
    }
    Ok(())
}

/// Every path that is no folder.
fn paths_below(root: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        if !folder.exists() {
            continue;
        }
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else {
                found.push(entry.path());
            }
        }
    }
    Ok(found)
}
