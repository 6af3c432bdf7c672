//! What a caller of the downloader relies on, against scripted sources and under a clock that the tests move.
#![expect(
    clippy::unwrap_used,
    reason = "a failed unwrap is a failed test with its line"
)]

mod cancel;
mod disk;
mod fairness;
mod line;
mod network;
mod ranges;
mod rate_limit;
mod resume;
mod retry;
mod script;
mod stall;
mod verify;
