//! Model reference → commit → plan → downloads → published snapshot. The Hub's metadata and its protocol live here.
//!
//! The bytes are the downloader's, the layout on disk is the store's. Knows no job and no wire: the caller gives a
//! [`DownloadRequest`], a channel for [`ProvisionEvent`]s and a cancellation token, and has a [`PublishedModel`] or
//! a [`ProvisionError`] back when nothing of the work runs any more.

mod environment;
mod error;
mod event;
#[cfg(fuzzing)]
pub mod fuzzing;
mod hub;
mod plan;
mod provisioner;
mod reference;
mod selection;

pub use downloader::{
    LimitedBy, Limits as TransferLimits, RateLimiter, RetryCause, SourceErrorKind, Stall,
};
pub use environment::{EnvironmentError, HubToken, hub_endpoint, is_offline, store_root};
pub use error::{AccountError, ProvisionError, StorageFault, Unfinished};
pub use event::{
    FileTransfer, Notice, ProvisionEvent, ProvisionPhase, RetryEvent, TransferProgress,
};
pub use hub::{
    Denial, HubContact, HubErrorKind, HubLimits, HubSettings, HubSetupError, Missing, Proxies,
};
pub use model_store::{Commit, RepoId, RepoKind};
pub use plan::{Access, Choice, LeftOut, Plan, PlannedFile};
pub use provisioner::{
    DownloadRequest, Provisioner, ProvisionerSettings, PublishedModel, ReceivedSample,
};
pub use reference::{DEFAULT_REVISION, ModelReference, ReferenceError};
pub use selection::{GlobError, StoredQuantisation, check_globs, quantisation_groups};
