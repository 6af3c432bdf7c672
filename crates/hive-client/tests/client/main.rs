//! The client against small hives of sockets and scripts: what it promises when the network and the other side do not.

#![expect(
    clippy::unwrap_used,
    reason = "a failed unwrap is a failed test with its line"
)]

mod certificates;
mod follow;
mod hostile;
mod requests;
mod scripted;
mod tunnel;
