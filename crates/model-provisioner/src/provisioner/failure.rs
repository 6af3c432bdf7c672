//! The errors of the parts as the one error of a download.

use std::{error::Error, io, path::PathBuf, sync::Arc};

use downloader::{DownloadError, SourceError};
use model_store::{RepoId, StoreError};
use tokio::task::JoinError;

use crate::{
    AccountError, HubErrorKind, ProvisionError, StorageFault,
    hub::{Hub, HubError},
    selection::SelectionError,
};

/// A question to the Hub failed for good.
pub(crate) fn of_hub(error: HubError, repo: &RepoId, hub: &Hub) -> ProvisionError {
    let repo = repo.to_string();
    match error.kind {
        HubErrorKind::Denied(denial) => ProvisionError::AccessDenied {
            page: hub.page(&repo),
            token_source: hub.token_source(),
            repo,
            denial,
        },
        HubErrorKind::Missing(missing) => ProvisionError::NotFound { repo, missing },
        HubErrorKind::Transfer(_) => upstream(error),
    }
}

/// A question about an account failed.
pub(crate) fn of_account(error: HubError) -> AccountError {
    match error.kind {
        HubErrorKind::Denied(_) | HubErrorKind::Missing(_) => AccountError::Refused,
        HubErrorKind::Transfer(_) => AccountError::NoAnswer(upstream(error)),
    }
}

fn upstream(error: HubError) -> ProvisionError {
    ProvisionError::Upstream {
        kind: error.kind,
        address: error.address,
        detail: error.detail,
        source: error.source.map(Arc::from),
    }
}

/// A file's transfer failed for good.
pub(crate) fn of_download(
    error: DownloadError,
    path: &str,
    repo: &RepoId,
    hub: &Hub,
) -> ProvisionError {
    let path_in_repo = path.to_owned();
    let storage = |fault, path, source| ProvisionError::Storage {
        fault,
        path,
        source: Arc::new(source),
    };
    match error {
        DownloadError::Cancelled => ProvisionError::Cancelled,
        DownloadError::Source { source, .. } => of_source(source, repo, hub),
        DownloadError::Stalled { tries, stall } => ProvisionError::Stalled {
            path: path_in_repo,
            detail: stall.to_string(),
            tries,
        },
        DownloadError::SizeMismatch { expected_bytes } => ProvisionError::SizeMismatch {
            path: path_in_repo,
            expected_bytes,
        },
        DownloadError::IntegrityMismatch { expected, actual } => {
            ProvisionError::IntegrityMismatch {
                path: path_in_repo,
                expected: expected.to_string(),
                actual: actual.to_string(),
            }
        }
        DownloadError::InUse { path } => {
            let source =
                io::Error::new(io::ErrorKind::ResourceBusy, "another process is writing it");
            storage(StorageFault::Io, path, source)
        }
        DownloadError::DiskFull { path, source } => storage(StorageFault::DiskFull, path, source),
        DownloadError::PermissionDenied { path, source } => {
            storage(StorageFault::PermissionDenied, path, source)
        }
        DownloadError::ReadOnly { path, source } => storage(StorageFault::ReadOnly, path, source),
        DownloadError::Io { path, source } => storage(StorageFault::Io, path, source),
    }
}

/// The Hub's own error travels below the source's.
pub(crate) fn of_source(error: SourceError, repo: &RepoId, hub: &Hub) -> ProvisionError {
    let kind = error.kind;
    let below = error.source.map(<dyn Error + Send + Sync>::downcast);
    match below {
        Some(Ok(below)) => of_hub(*below, repo, hub),
        below => ProvisionError::Upstream {
            kind: kind.into(),
            address: hub.page(&repo.to_string()),
            detail: error.detail,
            source: below.and_then(Result::err).map(Arc::from),
        },
    }
}

/// The store's disk refused.
pub(crate) fn of_store(error: StoreError) -> ProvisionError {
    let storage = |fault, path, source| ProvisionError::Storage {
        fault,
        path,
        source: Arc::new(source),
    };
    let text = error.to_string();
    match error {
        StoreError::DiskFull { path, source } => storage(StorageFault::DiskFull, path, source),
        StoreError::PermissionDenied { path, source } => {
            storage(StorageFault::PermissionDenied, path, source)
        }
        StoreError::ReadOnly { path, source } => storage(StorageFault::ReadOnly, path, source),
        StoreError::NoLinks { path, source } => storage(StorageFault::NoLinks, path, source),
        StoreError::Io { path, source } => storage(StorageFault::Io, path, source),
        StoreError::Tampered { path } | StoreError::PartialReplaced { path } => {
            storage(StorageFault::Io, path, io::Error::other(text))
        }
        StoreError::BlobMissing { blob } => storage(
            StorageFault::Io,
            blob.as_str().into(),
            io::Error::other(text),
        ),
    }
}

/// The disk refused outside of the store's own doing.
pub(crate) fn of_disk(source: io::Error, path: PathBuf) -> ProvisionError {
    let fault = match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StorageFault::DiskFull,
        io::ErrorKind::PermissionDenied => StorageFault::PermissionDenied,
        io::ErrorKind::ReadOnlyFilesystem => StorageFault::ReadOnly,
        _ => StorageFault::Io,
    };
    ProvisionError::Storage {
        fault,
        path,
        source: Arc::new(source),
    }
}

/// A task of ours ended without an answer. A panic goes on where the task's owner stands; else the runtime is ending,
/// and all work with it.
pub(crate) fn of_lost_task(lost: JoinError) -> ProvisionError {
    match lost.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(_) => ProvisionError::Cancelled,
    }
}

/// Nothing can be selected.
pub(crate) fn of_selection(
    error: SelectionError,
    repo: &RepoId,
    selector: Option<&str>,
) -> ProvisionError {
    let repo = repo.to_string();
    match error {
        SelectionError::Glob(error) => ProvisionError::BadGlob { source: error },
        SelectionError::NotFound { suggestions } => ProvisionError::SelectorNotFound {
            repo,
            selector: selector.map(str::to_owned),
            suggestions,
        },
        SelectionError::Ambiguous {
            selector,
            candidates,
        } => ProvisionError::SelectorAmbiguous {
            repo,
            selector,
            candidates,
        },
        SelectionError::Incomplete { selector, missing } => ProvisionError::IncompleteShards {
            repo,
            selector,
            missing,
        },
        SelectionError::Unsupported { formats } => {
            ProvisionError::UnsupportedFormat { repo, formats }
        }
        SelectionError::Nothing => ProvisionError::NothingSelected { repo },
    }
}
