//! The Hub as a downloader sees it: pin a commit, list a tree, resolve a file, open a range of it.
//!
//! The token goes to the configured Hub's origin (scheme, host, port) and nowhere else. No request lacks a connect
//! limit and a limit for its headers. Facts about the protocol: the Hub's API documentation and what its own
//! clients rely on.

mod client;
mod commit;
mod error;
mod failure;
mod file;
mod rate_limit;
mod redirect;
mod resolve;
mod tree;

use std::time::Duration;

use url::Url;

pub use client::HubSetupError;
pub use error::{Denial, HubErrorKind, Missing};

pub(crate) use client::Hub;
pub(crate) use commit::PinnedCommit;
pub(crate) use error::HubError;
pub(crate) use file::HubFile;
pub(crate) use tree::TreeFile;

use crate::HubToken;

/// Which Hub, as whom, and how patiently.
#[derive(Clone, Debug)]
pub struct HubSettings {
    /// The Hub's address, without a trailing file name; a path is kept as a prefix.
    pub endpoint: Url,
    /// The account's token.
    pub token: Option<HubToken>,
    /// What the Hub is told about who asks.
    pub user_agent: String,
    /// How long to wait for what.
    pub limits: HubLimits,
}

/// How long to wait for the Hub and its CDN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubLimits {
    /// For a connection, TLS included.
    pub connect: Duration,
    /// For the headers of an answer, from the request on.
    pub headers: Duration,
    /// For the whole listing of a repository; without it the download goes on without a total.
    pub tree: Duration,
    /// Tries at the question for the commit.
    pub tries: u32,
    /// The back-off before the second try; it doubles with each further one.
    pub backoff_base: Duration,
    /// The longest back-off, and the longest that a `Retry-After` is heeded while resolving.
    pub backoff_cap: Duration,
}

impl Default for HubLimits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            headers: Duration::from_secs(30),
            tree: Duration::from_secs(30),
            tries: 5,
            backoff_base: Duration::from_secs(1),
            backoff_cap: Duration::from_mins(1),
        }
    }
}
