//! What the store holds.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::open::OpenModelState;

/// The answer of `GET /v1/models`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ModelList {
    /// The store's folder on the hive.
    pub store_path: String,
    /// Bytes free on the store's disk.
    pub free_bytes: u64,
    /// One entry a repository, commit and quantisation, sorted by name.
    pub models: Vec<StoredModel>,
}

/// One model at one commit in the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StoredModel {
    /// The reference that names it: `org/name` or `org/name:Q4_K_M`.
    pub model: String,
    /// `org/name`, with `datasets/` before it for a dataset.
    pub repo: String,
    /// The commit, 40 hexadecimal digits.
    pub commit: String,
    /// The refs that point to the commit, such as `main`.
    pub refs: Vec<String>,
    /// Bytes on disk, a blob that several paths share counted once.
    pub bytes_on_disk: u64,
    /// When a file of it was last opened, as far as the file system records it.
    pub last_used_at: Option<Timestamp>,
    /// Whether it is whole.
    pub state: OpenModelState,
    /// The selected file (its first shard), else the snapshot folder.
    pub path: String,
    /// Its files.
    pub files: Vec<ModelFile>,
}

/// Whether a model in the store is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ModelState {
    /// Every file is there.
    Complete,
    /// Some bytes are received and not published yet.
    Partial,
    /// A link points to nothing, or shards of a set are missing.
    Broken,
}

/// One file of a stored model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ModelFile {
    /// The path in the repository.
    pub path: String,
    /// The size, or null where the blob is missing.
    pub bytes: Option<u64>,
    /// The blob's name: the sha256 of a large file, the git blob sha1 of a small one.
    pub blob: Option<String>,
}

/// The answer of `DELETE /v1/models`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RemovedModel {
    /// What was removed.
    pub repo: String,
    /// The commits that are gone.
    pub commits: Vec<String>,
    /// Bytes freed on disk.
    pub bytes_freed: u64,
}
