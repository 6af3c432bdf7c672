//! What callers and the other tools of a store rely on, in stores of their own.
#![expect(
    clippy::unwrap_used,
    reason = "a failed unwrap is a failed test with its line"
)]

mod fixture;
mod list;
mod lock;
mod place;
mod publish;
mod race;
mod remove;
