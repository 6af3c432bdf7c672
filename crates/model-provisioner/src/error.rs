//! Why a model could not be provided: one enum, its data in fields, so that the caller can map it to codes and words.

use std::{io, path::PathBuf, sync::Arc};

use model_store::RepoId;

use crate::{Choice, Denial, GlobError, HubErrorKind, Missing};

/// A download that ended without its result. Nothing of it runs any more.
#[derive(Debug, thiserror::Error)]
#[error("the download ended early")]
pub struct Unfinished {
    /// Why it ended.
    #[source]
    pub reason: ProvisionError,
    /// Bytes of its files that it received, or found received, and that stay for the next one: in partials, and in blobs
    /// that no snapshot has yet. `None` if it ended before it looked at them: what was here is here.
    pub bytes_kept: Option<u64>,
}

impl From<ProvisionError> for Unfinished {
    /// Of a download that has not looked at what is here.
    fn from(reason: ProvisionError) -> Self {
        Self {
            reason,
            bytes_kept: None,
        }
    }
}

/// Why a plan or a download ended without its result.
///
/// Cheap to clone: downloads that share a transfer share its failure.
#[derive(Clone, Debug, thiserror::Error)]
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
        source: Option<Arc<dyn std::error::Error + Send + Sync>>,
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
    #[error(
        "{needed_bytes} bytes are needed, {free_bytes} are free and {reserved_bytes} of them reserved"
    )]
    InsufficientStorage {
        /// Bytes that the disk would have to give.
        needed_bytes: u64,
        /// Bytes free on the store's disk.
        free_bytes: u64,
        /// Of these, bytes that other downloads have reserved and not written yet.
        reserved_bytes: u64,
    },
    /// The disk became full while a file was received. What was received is kept.
    #[error(
        "the disk is full: {needed_bytes} bytes are needed for `{path}` and {free_bytes} are free"
    )]
    DiskFull {
        /// The path in the repository.
        path: String,
        /// Bytes of the file that the disk would still have to give.
        needed_bytes: u64,
        /// Bytes free on the store's disk.
        free_bytes: u64,
        /// The error below.
        source: Arc<io::Error>,
    },
    /// The Hub must not be asked, and the store does not have everything.
    #[error("`{repo}` is not whole in the store, and the Hub is not asked: {reason}")]
    Offline {
        /// `org/name`.
        repo: String,
        /// What the store lacks, in words.
        reason: String,
    },
    /// The store's disk refused.
    #[error("{fault} at `{}`", .path.display())]
    Storage {
        /// In which way.
        fault: StorageFault,
        /// The file or folder.
        path: PathBuf,
        /// The error below.
        source: Arc<io::Error>,
    },
}

impl ProvisionError {
    /// The same failure of a transfer that `path` shared with a file of another name.
    pub(crate) fn of_file(mut self, path: &str) -> Self {
        match &mut self {
            Self::Stalled { path: named, .. }
            | Self::NoHash { path: named }
            | Self::SizeMismatch { path: named, .. }
            | Self::IntegrityMismatch { path: named, .. }
            | Self::DiskFull { path: named, .. } => path.clone_into(named),
            Self::Cancelled
            | Self::BadGlob { .. }
            | Self::SelectorNotFound { .. }
            | Self::SelectorAmbiguous { .. }
            | Self::IncompleteShards { .. }
            | Self::UnsupportedFormat { .. }
            | Self::NothingSelected { .. }
            | Self::UnsafeRemoteName { .. }
            | Self::NotFound { .. }
            | Self::AccessDenied { .. }
            | Self::Upstream { .. }
            | Self::InsufficientStorage { .. }
            | Self::Offline { .. }
            | Self::Storage { .. } => {}
        }
        self
    }

    /// Whether it tells of the way to another repository, so that the same blob may well be had from `repo`.
    pub(crate) fn is_of_another_repository(&self, repo: &RepoId) -> bool {
        match self {
            Self::AccessDenied { repo: denied, .. } => *denied != repo.to_string(),
            Self::NotFound { repo: missing, .. } => *missing != repo.to_string(),
            _ => false,
        }
    }
}

/// Why the Hub did not say whose token it is.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// The Hub must not be asked.
    #[error("the Hub is not asked")]
    Offline,
    /// The Hub does not accept the token.
    #[error("the Hub does not accept the token")]
    Refused,
    /// It gave no answer that could be used.
    #[error("the Hub gave no answer")]
    NoAnswer(#[source] ProvisionError),
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
    /// The file system has no symbolic links.
    NoLinks,
    /// Anything else.
    Io,
}

impl std::fmt::Display for StorageFault {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::DiskFull => "the disk is full",
            Self::PermissionDenied => "no permission",
            Self::ReadOnly => "the file system is read-only",
            Self::NoLinks => "the file system has no symbolic links",
            Self::Io => "input or output error",
        })
    }
}
