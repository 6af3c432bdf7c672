//! A provisioner against a Hub and a CDN on loopback, faithful and faulty.
#![expect(
    clippy::unwrap_used,
    reason = "a failed unwrap is a failed test with its line"
)]

mod access;
mod cancel;
mod download;
mod faults;
mod harness;
mod network;
mod offline;
mod proxy;
mod rate_limit;
mod resume;
mod sharing;
