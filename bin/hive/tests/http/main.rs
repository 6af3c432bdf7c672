//! A whole hive on loopback, asked as its clients and its enemies would.
#![expect(
    clippy::unwrap_used,
    reason = "a failed unwrap is a failed test with its line"
)]

mod answers;
mod bodies;
mod connections;
mod doors;
mod download;
mod events;
mod jobs;
mod pausing;
mod running_hive;
mod unreachable_hub;
