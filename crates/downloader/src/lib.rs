//! One remote file to verified bytes: ranges, hash, write, watch, retry, resume. Knows no Hub and no job.
//!
//! The caller gives a [`DownloadSpec`] (the digest and size that the bytes must have, where the partial goes, and the
//! budget and limits that it shares with others) and a [`Source`] (how to get a range of them). [`download()`] ends with
//! a [`VerifiedPartial`], or [`Unfinished`]: a typed reason, and how many recorded bytes the next one goes on from.
//! Nothing on disk is trusted that its record does not prove, and nothing is verified but by its hash.

mod boot;
mod connections;
mod digest;
mod download;
mod error;
#[cfg(fuzzing)]
pub mod fuzzing;
mod growth;
mod ledger;
mod limits;
mod meter;
mod partial;
mod rate_limit;
mod rate_limits;
mod record;
mod retry;
mod segment_map;
mod segments;
mod source;
mod verified;
mod watchdog;
mod writer;

pub use boot::BootId;
pub use connections::{ConnectionBudget, ConnectionShare};
pub use digest::{Digest, InvalidDigest, sha256_rate};
pub use download::{DownloadSpec, OnEnd, download};
pub use error::{DownloadError, Unfinished};
pub use limits::Limits;
pub use meter::{LimitedBy, TransferMeter, TransferSnapshot, TransferState};
pub use partial::{discard_partial, resumable_bytes};
pub use rate_limit::RateLimiter;
pub use rate_limits::{RateLimitGuard, RateLimits};
pub use retry::{Persistence, RetryCause, RetryNotice};
pub use source::{ByteStream, OpenReason, Source, SourceError, SourceErrorKind};
pub use verified::VerifiedPartial;
pub use watchdog::Stall;
