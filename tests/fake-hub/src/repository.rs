//! A repository as the fake Hub serves it: commits of files, branches that name them, and who may read.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::content::{Content, sha1_hex};

/// The kind of a repository: its routes differ, its files do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RepositoryKind {
    /// `/api/models/…` and `/{id}/resolve/…`.
    Model,
    /// `/api/datasets/…` and `/datasets/{id}/resolve/…`.
    Dataset,
}

impl RepositoryKind {
    /// The kind's word in the Hub's API paths.
    pub(crate) fn plural(self) -> &'static str {
        match self {
            Self::Model => "models",
            Self::Dataset => "datasets",
        }
    }
}

/// A repository under construction, and later as it is served. Cheap to clone.
///
/// Files are added to `main`; [`Repository::branch`] names the commit that the files so far make. Paths are
/// served as they are given, `../` and control characters too, so that a hostile repository can be built.
#[derive(Clone, Debug)]
pub struct Repository {
    pub(crate) kind: RepositoryKind,
    pub(crate) id: String,
    pub(crate) access: Access,
    pub(crate) former_ids: Vec<String>,
    files: BTreeMap<String, Arc<File>>,
    pub(crate) branches: BTreeMap<String, Commit>,
    pub(crate) commits: BTreeMap<String, Commit>,
}

/// Who may read what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Open,
    /// The files are for granted accounts.
    GatedFiles,
    /// The files and the metadata are for granted accounts.
    GatedWhole,
    /// Does not exist but for granted accounts.
    Private,
    Disabled,
}

#[derive(Debug)]
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) content: Content,
    /// The git blob id: of the content, or of the pointer of a large file.
    pub(crate) oid: String,
    pub(crate) large: Option<LargeFile>,
}

#[derive(Debug)]
pub(crate) struct LargeFile {
    pub(crate) sha256: String,
    pub(crate) pointer_bytes: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct Commit {
    pub(crate) hash: String,
    pub(crate) files: Arc<BTreeMap<String, Arc<File>>>,
}

impl Repository {
    /// An empty model repository; `id` is `org/name`, or a name alone as the oldest ones have.
    pub fn model(id: &str) -> Self {
        Self::new(RepositoryKind::Model, id)
    }

    /// An empty dataset repository.
    pub fn dataset(id: &str) -> Self {
        Self::new(RepositoryKind::Dataset, id)
    }

    fn new(kind: RepositoryKind, id: &str) -> Self {
        Self {
            kind,
            id: id.to_owned(),
            access: Access::Open,
            former_ids: Vec::new(),
            files: BTreeMap::new(),
            branches: BTreeMap::new(),
            commits: BTreeMap::new(),
        }
    }

    /// Adds or replaces a small file that lives in git: served by the Hub itself, known by its git blob sha1.
    #[must_use]
    pub fn file(self, path: &str, content: impl Into<Content>) -> Self {
        let content = content.into();
        let oid = content.git_blob_id();
        self.with(File {
            path: path.to_owned(),
            content,
            oid,
            large: None,
        })
    }

    /// Adds or replaces a large file: served by the CDN, known by its sha256, which is computed here, at once.
    #[must_use]
    pub fn large_file(self, path: &str, content: impl Into<Content>) -> Self {
        let content = content.into();
        let sha256 = content.sha256();
        // The pointer's text is given by the Git LFS specification (docs/spec.md).
        let pointer = format!(
            "version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {}\n",
            content.size_bytes()
        );
        let large = LargeFile {
            sha256,
            pointer_bytes: pointer.len() as u64,
        };
        let oid = Content::from(pointer).git_blob_id();
        self.with(File {
            path: path.to_owned(),
            content,
            oid,
            large: Some(large),
        })
    }

    /// Removes a file from what `main` will hold.
    #[must_use]
    pub fn without_file(mut self, path: &str) -> Self {
        self.files.remove(path);
        self
    }

    /// Names the commit that the files so far make; a tag or `refs/pr/1` is a branch here too.
    #[must_use]
    pub fn branch(mut self, name: &str) -> Self {
        let commit = self.head();
        self.commits.insert(commit.hash.clone(), commit.clone());
        self.branches.insert(name.to_owned(), commit);
        self
    }

    /// Only granted accounts read the files; the metadata stays open.
    #[must_use]
    pub fn gated(mut self) -> Self {
        self.access = Access::GatedFiles;
        self
    }

    /// Like [`Repository::gated`], and the metadata is refused as well. The Hub's clients have seen both.
    #[must_use]
    pub fn gated_with_metadata(mut self) -> Self {
        self.access = Access::GatedWhole;
        self
    }

    /// Does not exist but for granted accounts.
    #[must_use]
    pub fn private(mut self) -> Self {
        self.access = Access::Private;
        self
    }

    /// Answers everything with "Access to this resource is disabled."
    #[must_use]
    pub fn disabled(mut self) -> Self {
        self.access = Access::Disabled;
        self
    }

    /// An id that this repository had before: requests for it are redirected here.
    #[must_use]
    pub fn renamed_from(mut self, id: &str) -> Self {
        self.former_ids.push(id.to_owned());
        self
    }

    /// The same files under another id. Branches that were named before are not taken along.
    #[must_use]
    pub fn with_id(self, id: &str) -> Self {
        Self {
            id: id.to_owned(),
            branches: BTreeMap::new(),
            commits: BTreeMap::new(),
            ..self
        }
    }

    /// `org/name`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The commit of `main`: 40 hexadecimal digits that follow from the id and the files alone.
    pub fn commit(&self) -> String {
        self.head().hash
    }

    /// The paths of the files of `main`, sorted.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// The bytes of a file of `main`.
    pub fn content(&self, path: &str) -> Option<&Content> {
        self.files.get(path).map(|file| &file.content)
    }

    /// The name of a file's blob in the Hub's cache: the sha256 of a large file, the git sha1 of a small one.
    pub fn etag(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(|file| file.etag())
    }

    fn with(mut self, file: File) -> Self {
        self.files.insert(file.path.clone(), Arc::new(file));
        self
    }

    fn head(&self) -> Commit {
        let entries = self
            .files
            .values()
            .map(|file| format!("{} {}\n", file.oid, file.path));
        let text = format!("{}/{}\n", self.kind.plural(), self.id) + &entries.collect::<String>();
        Commit {
            hash: sha1_hex(&text),
            files: Arc::new(self.files.clone()),
        }
    }

    /// The commit that a branch name or a whole commit hash stands for.
    pub(crate) fn revision(&self, revision: &str) -> Option<&Commit> {
        self.branches
            .get(revision)
            .or_else(|| self.commits.get(revision))
    }
}

impl File {
    pub(crate) fn etag(&self) -> &str {
        self.large.as_ref().map_or(&self.oid, |large| &large.sha256)
    }
}
