//! A whole hive on loopback, asked as its clients and its enemies would.
#![expect(
    clippy::unwrap_used,
    reason = "a failed unwrap is a failed test with its line"
)]

mod abuse;
mod access;
mod answers;
mod attacks;
mod audit;
mod bodies;
mod connections;
mod dashboard;
mod doctor;
mod doors;
mod download;
mod events;
mod health;
mod hub_account;
mod jobs;
mod pairing;
mod pausing;
mod running_hive;
mod sessions;
mod tls;
mod unreachable_hub;
