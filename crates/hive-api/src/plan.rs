//! What a model reference resolves to at a pinned commit: before the first byte, and as a summary on the job.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Suggestion, open::OpenAccess};

/// The files that a download would fetch, with what is already here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Plan {
    /// The figures that a person reads first.
    #[serde(flatten)]
    pub summary: PlanSummary,
    /// The selected files, in the order of the repository.
    pub files: Vec<PlannedFile>,
    /// Bytes free on the store's disk now.
    pub free_bytes: u64,
    /// Bytes of the disk that running jobs have planned for and not written yet.
    pub reserved_bytes: u64,
    /// Whether the Hub account of this hive may fetch the files.
    pub access: OpenAccess,
}

/// A plan's figures: what is fetched, what is here, what is left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PlanSummary {
    /// `org/name`, with `datasets/` before it for a dataset.
    pub repo: String,
    /// The revision that was asked for, such as `main`.
    pub revision: String,
    /// The commit it pointed to, 40 hexadecimal digits.
    pub commit: String,
    /// The quantisation or file that was selected, or null for what an engine needs.
    pub selector: Option<String>,
    /// Files selected.
    pub files_total: u32,
    /// Of these, weight files that belong to one sharded set; zero when the weights are one file.
    pub shards: u32,
    /// Bytes of all selected files, or null while the size is unknown.
    pub bytes_total: Option<u64>,
    /// Bytes of the selected files that the store already has.
    pub bytes_reused: u64,
    /// Bytes to fetch, or null while the size is unknown.
    pub bytes_to_fetch: Option<u64>,
    /// Bytes free on the store's disk after the download, or null while the size is unknown.
    pub free_bytes_afterwards: Option<u64>,
    /// What the repository has besides.
    pub left_out: LeftOut,
    /// The other quantisations there are, when the choice was the hive's.
    pub others: Vec<Suggestion>,
}

/// Files of the repository that were not selected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LeftOut {
    /// How many.
    pub files: u32,
    /// Their bytes, or null while the sizes are unknown.
    pub bytes: Option<u64>,
}

/// One file of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PlannedFile {
    /// The path in the repository.
    pub path: String,
    /// The size, or null when the Hub's listing did not come in time.
    pub bytes: Option<u64>,
    /// The sha256 of a large file; null for small git files and when it is unknown.
    pub sha256: Option<String>,
    /// The bytes that the store already has.
    pub bytes_reused: u64,
}

/// Whether the files may be fetched with the hive's Hub account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// The Hub serves them.
    Granted,
    /// The repository is gated and the account has no access.
    Denied,
    /// The Hub did not say in time.
    Unchecked,
}
