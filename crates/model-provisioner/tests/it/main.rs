//! A provisioner against a Hub and a CDN on loopback, faithful and faulty.
#![expect(
    clippy::unwrap_used,
    reason = "a failed unwrap is a failed test with its line"
)]

mod access;
mod cancel;
mod cancel_phases;
mod download;
mod faults;
mod harness;
mod network;
mod offline;
mod other_writers;
mod proxy;
mod rate_limit;
mod resume;
mod sharing;
mod tls;
mod wrong_answers;
