//! The only way to talk to a hive: submit, look, follow, cancel.
//!
//! Nothing here prints or decides what a person sees. Every request has a connect limit and a limit for its whole
//! answer; an event stream has none as a whole and a watchdog on its silence instead. What a hive sends is bounded
//! in size, so that a hostile one cannot exhaust its client.

mod answer;
mod certificate;
mod client;
mod contact;
mod endpoint;
mod error;
mod follow;
#[cfg(fuzzing)]
pub mod fuzzing;
mod log_start;
mod proxy;
mod submit;

pub use certificate::{CertificateProblem, Trust};
pub use client::{CancelJob, HiveClient, JobFilter};
pub use contact::{Contact, ShownCertificate};
pub use endpoint::{Endpoint, HttpEndpoint};
pub use error::ClientError;
pub use follow::{ConnectionLoss, Followed, FollowedStream, StreamCheck};
pub use proxy::{HttpProxy, ParseHttpProxyError};
pub use submit::IdempotencyKey;
