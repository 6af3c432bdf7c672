//! Why a model could not be provided: one enum, its data in fields, so that the caller can map it to codes and words.

use std::{io, path::PathBuf};

use crate::{Choice, Denial, GlobError, HubErrorKind, Missing};

/// Why a plan or a download ended without its result. Nothing of the work runs any more.
#[derive(Debug, thiserror::Error)]
pub enum ProvisionError {
    /// The caller cancelled, or did not agree to publish.
    #[error("cancelled")]
    Cancelled,
    /// A glob of the request cannot be compiled.
    #[error(transparent)]
    BadGlob {
        /// Which, and why.
        #[from]
        source: GlobError,
    },
    /// The repository has no such quantisation or file; without a selector, none of the default order.
    #[error("`{repo}` has no `{}`", .selector.as_deref().unwrap_or("quantisation of the default order"))]
    SelectorNotFound {
        /// `org/name`, with `datasets/` before it for a dataset.
        repo: String,
        /// What was asked for, `None` when nothing was.
        selector: Option<String>,
        /// What there is: nearest first, or smallest first when nothing was asked for.
        suggestions: Vec<Choice>,
    },
    /// Several files have the selected quantisation, and only their paths tell them apart.
    #[error("`{repo}` has several files with the quantisation `{selector}`")]
    SelectorAmbiguous {
        /// `org/name`.
        repo: String,
        /// The quantisation.
        selector: String,
        /// The files, by path.
        candidates: Vec<Choice>,
    },
    /// The repository itself lacks shards of the selected set.
    #[error("`{repo}` lacks {} of the shards of `{selector}`", .missing.len())]
    IncompleteShards {
        /// `org/name`.
        repo: String,
        /// What was selected.
        selector: String,
        /// The paths that are missing.
        missing: Vec<String>,
    },
    /// The repository has no files that an engine can load.
    #[error("`{repo}` has neither GGUF nor safetensors weights")]
    UnsupportedFormat {
        /// `org/name`.
        repo: String,
        /// The weight formats that it has, in words.
        formats: Vec<String>,
    },
    /// The globs leave nothing of the repository, or it is empty.
    #[error("no file of `{repo}` is selected")]
    NothingSelected {
        /// `org/name`.
        repo: String,
    },
    /// A path in the repository could not be a path in the store. Nothing was written.
    #[error("`{repo}` has a file whose name is unsafe: {reason}")]
    UnsafeRemoteName {
        /// `org/name`.
        repo: String,
        /// The path as it came; may hold control characters.
        path: String,
        /// The rule that it breaks.
        reason: String,
    },
    /// The Hub has no such repository, revision or file.
    #[error("{missing} of `{repo}` not found on the Hub")]
    NotFound {
        /// `org/name`.
        repo: String,
        /// What is missing.
        missing: Missing,
    },
    /// The Hub refuses access.
    #[error("no access to `{repo}`: {denial}")]
    AccessDenied {
        /// `org/name`.
        repo: String,
        /// In which way.
        denial: Denial,
        /// The page where a person can see the terms and ask for access.
        page: String,
        /// Where the token in use came from, `None` when there is none.
        token_source: Option<String>,
    },
    /// The Hub or its CDN did not give what was asked for, in all tries.
    #[error("{kind} at `{address}`")]
    Upstream {
        /// What went wrong.
        kind: HubErrorKind,
        /// Host and path of the request, without its query.
        address: String,
        /// What happened, for a person, without secrets.
        detail: String,
        /// The error below.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// No byte of a file came for too long, in all tries.
    #[error("`{path}` stalled")]
    Stalled {
        /// The path in the repository.
        path: String,
        /// How the last try stalled, in words.
        detail: String,
        /// Tries without one new byte.
        tries: u32,
    },
    /// The Hub gives a file without a hash, so that it could not be verified.
    #[error("the Hub gives no hash for `{path}`")]
    NoHash {
        /// The path in the repository.
        path: String,
    },
    /// More bytes came than the file has.
    #[error("`{path}` is longer than its {expected_bytes} bytes")]
    SizeMismatch {
        /// The path in the repository.
        path: String,
        /// The size that the Hub promised.
        expected_bytes: u64,
    },
    /// The bytes do not have the hash that the Hub promised.
    #[error("`{path}` has the hash {actual} instead of {expected}")]
    IntegrityMismatch {
        /// The path in the repository.
        path: String,
        /// The promised hash, hexadecimal.
        expected: String,
        /// The hash of what came, hexadecimal.
        actual: String,
    },
    /// The disk cannot hold what was planned; found before the first byte.
    #[error("{needed_bytes} bytes are needed and {free_bytes} are free")]
    InsufficientStorage {
        /// Bytes to fetch.
        needed_bytes: u64,
        /// Bytes free on the store's disk.
        free_bytes: u64,
    },
    /// The store's disk refused.
    #[error("{fault} at `{}`", .path.display())]
    Storage {
        /// In which way.
        fault: StorageFault,
        /// The file or folder.
        path: PathBuf,
        /// The error below.
        source: io::Error,
    },
}

/// In which way the store's disk refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StorageFault {
    /// The disk or the quota is full.
    DiskFull,
    /// The permissions do not allow it.
    PermissionDenied,
    /// The file system is read-only.
    ReadOnly,
    /// Anything else.
    Io,
}

impl std::fmt::Display for StorageFault {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::DiskFull => "the disk is full",
            Self::PermissionDenied => "no permission",
            Self::ReadOnly => "the file system is read-only",
            Self::Io => "input or output error",
        })
    }
}
