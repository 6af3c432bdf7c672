//! One remote file to verified bytes: stream, hash, write, watch, retry. Knows no Hub and no job.
//!
//! The caller gives a [`DownloadSpec`] (the digest and size that the bytes must have, and where the partial goes)
//! and a [`Source`] (how to get a range of them). [`download()`] ends with a [`VerifiedPartial`], or with a typed
//! reason and no file at all: until a partial has a record that proves its bytes, nothing on disk is trusted.

mod digest;
mod download;
mod error;
mod limits;
mod meter;
mod partial;
mod retry;
mod source;
mod watchdog;
mod writer;

pub use digest::{Digest, InvalidDigest};
pub use download::{DownloadSpec, download};
pub use error::DownloadError;
pub use limits::Limits;
pub use meter::{LimitedBy, TransferMeter, TransferSnapshot, TransferState};
pub use partial::VerifiedPartial;
pub use retry::{RetryCause, RetryNotice};
pub use source::{ByteStream, OpenReason, Source, SourceError, SourceErrorKind};
pub use watchdog::Stall;
