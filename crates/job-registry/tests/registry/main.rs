//! What callers of the registry rely on, through its public functions and a real database.
#![expect(
    clippy::unwrap_used,
    reason = "a failed unwrap is a failed test with its line"
)]

mod cancelling;
mod changing;
mod every_order;
mod listing;
mod logging;
mod model;
mod pair;
mod queueing;
mod random_commands;
mod recovering;
mod retention;
mod stage;
mod submitting;
mod watching;
mod watching_all;
