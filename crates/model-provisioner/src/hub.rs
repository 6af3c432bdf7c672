//! The Hub as a downloader sees it: pin a commit, list a tree, resolve a file, open a range of it.
//!
//! The token goes to the configured Hub's origin (scheme, host, port) and nowhere else. No request lacks a connect
//! limit and a limit for its headers. Facts about the protocol: the Hub's API documentation and what its own
//! clients rely on.

mod account;
mod client;
mod commit;
mod contact;
mod error;
mod failure;
mod file;
mod proxy;
mod rate_limit;
mod redirect;
mod resolve;
mod tree;

use std::{path::PathBuf, time::Duration};

use url::Url;

pub use client::HubSetupError;
pub use contact::HubContact;
pub use error::{Denial, HubErrorKind, Missing};
pub use proxy::Proxies;

pub(crate) use client::Hub;
pub(crate) use commit::PinnedCommit;
pub(crate) use error::HubError;
pub(crate) use file::HubFile;
pub(crate) use tree::TreeFile;
#[cfg(fuzzing)]
pub(crate) use {rate_limit::wait, redirect::target as redirect_target, tree::files_of_page};

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
    /// The proxies on the way.
    pub proxies: Proxies,
    /// The certificates to trust instead of the system's: a file in PEM (`SSL_CERT_FILE`).
    pub ca_file: Option<PathBuf>,
    /// Whether the Hub must not be asked, so that everything is answered from the store or fails at once.
    pub is_offline: bool,
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
    /// Tries at a question to which the Hub's answer is an error that may pass.
    pub tries: u32,
    /// The same for answers that make no sense: asking often does not help.
    pub tries_refused: u32,
    /// The back-off before the second try; it doubles with each further one, with full jitter.
    pub backoff_base: Duration,
    /// The longest back-off.
    pub backoff_cap: Duration,
    /// The longest that a server's `Retry-After` is heeded.
    pub retry_after_cap: Duration,
    /// How long to wait for the network when the Hub cannot be reached at all.
    pub network_patience: Duration,
}

impl Default for HubLimits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            headers: Duration::from_secs(30),
            tree: Duration::from_secs(30),
            tries: 8,
            tries_refused: 3,
            backoff_base: Duration::from_secs(1),
            backoff_cap: Duration::from_mins(1),
            retry_after_cap: Duration::from_mins(15),
            network_patience: Duration::from_hours(24),
        }
    }
}
