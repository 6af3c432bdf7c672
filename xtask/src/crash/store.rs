//! Where everything of a trial is, and whether what is there after its end is right.

use std::{
    collections::BTreeSet,
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use fake_hub::Content;
use serde_json::Value;

const PIECE_BYTES: u64 = 1024 * 1024;

/// The folders of a trial, and the one file that is downloaded.
pub(super) struct Places {
    pub(super) home: PathBuf,
    /// `models--org--name`.
    pub(super) repository_folder: String,
    pub(super) file: String,
    pub(super) blob: String,
    pub(super) commit: String,
}

impl Places {
    pub(super) fn state(&self) -> PathBuf {
        self.home.join("state")
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.state().join("hive.sock")
    }

    pub(super) fn store(&self) -> PathBuf {
        self.home.join("store")
    }

    pub(super) fn repository(&self) -> PathBuf {
        self.store().join(&self.repository_folder)
    }

    pub(super) fn lock_folder(&self) -> PathBuf {
        self.store().join(".locks").join(&self.repository_folder)
    }

    /// Whether the store holds the published file with these bytes, and nothing else.
    pub(super) fn check(&self, content: &Content) -> Result<()> {
        let lock = self.lock_folder().join(format!("{}.lock", self.blob));
        let expected: BTreeSet<PathBuf> = [lock, self.blob(), self.link(), self.reference()].into();
        let found = files_below(&self.store())?;
        ensure!(
            found == expected,
            "the store has {:?}",
            found.symmetric_difference(&expected)
        );
        self.check_published(content)
    }

    /// Whether the file is published with these bytes.
    pub(super) fn check_published(&self, content: &Content) -> Result<()> {
        ensure!(
            fs::canonicalize(self.link())? == fs::canonicalize(self.blob())?,
            "the link leads elsewhere"
        );
        ensure!(
            fs::read_to_string(self.reference())? == self.commit,
            "the ref names another commit"
        );
        same_bytes(&self.blob(), content)
    }

    /// Bytes of the file that the next download has no more to ask for: all of its blob, or what the last line of its
    /// partial's record claims.
    pub(super) fn kept_bytes(&self) -> Result<u64> {
        if let Ok(blob) = fs::metadata(self.blob()) {
            return Ok(blob.len());
        }
        let record = format!("{}.hive-partial.json", self.blob);
        let record = self.repository().join("blobs").join(record);
        let text = match fs::read_to_string(record) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            Err(error) => return Err(error.into()),
        };
        // A line that the death cut off has no end.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let last: Value = serde_json::from_str(whole.lines().last().unwrap_or("{}"))?;
        let segments = last["segments"].as_array().into_iter().flatten();
        let bytes = segments.map(|segment| {
            let at = |index: usize| segment[index].as_u64().unwrap_or_default();
            at(1) - at(0)
        });
        Ok(bytes.sum())
    }

    fn blob(&self) -> PathBuf {
        self.repository().join("blobs").join(&self.blob)
    }

    fn link(&self) -> PathBuf {
        let snapshot = self.repository().join("snapshots").join(&self.commit);
        snapshot.join(&self.file)
    }

    fn reference(&self) -> PathBuf {
        self.repository().join("refs/main")
    }
}

fn same_bytes(path: &Path, content: &Content) -> Result<()> {
    let mut file = fs::File::open(path)?;
    ensure!(
        file.metadata()?.len() == content.size_bytes(),
        "a wrong size"
    );
    let mut at = 0;
    while at < content.size_bytes() {
        let expected = content.read(at..at + PIECE_BYTES);
        let mut found = vec![0; expected.len()];
        file.read_exact(&mut found).context("too short")?;
        ensure!(found == expected, "WRONG BYTES from byte {at} on");
        at += expected.len() as u64;
    }
    Ok(())
}

/// Every path that is no folder.
fn files_below(root: &Path) -> Result<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else {
                found.insert(entry.path());
            }
        }
    }
    Ok(found)
}
