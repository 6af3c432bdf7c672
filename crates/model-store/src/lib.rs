//! The Hub's cache layout on disk: blobs, snapshots, refs, locks and partials, shared with every other tool.
//!
//! A path in the store either does not exist or has the right bytes: a blob enters `blobs/` only by the rename of
//! a verified file, and a model becomes visible link by link with its ref last. Never talks to the network.
//!
//! Everything here but [`RepoFolder::lock_blob`] blocks on the file system: callers run it off the async workers.
//! The layout is the one of the Hub's documentation ("Hub local cache").

mod error;
mod folder;
mod list;
mod lock;
mod name;
mod place;
mod publish;
mod remove;
mod store;

pub use error::StoreError;
pub use list::{
    SnapshotState, StoredFile, StoredPartial, StoredRepo, StoredSnapshot, UnlinkedBlob,
};
pub use lock::BlobLock;
pub use name::{BlobName, Commit, RefName, RepoId, RepoKind, RepoPath, Revision, UnsafeName};
pub use remove::Removed;
pub use store::{Existing, ModelStore, Placed, RepoFolder};
