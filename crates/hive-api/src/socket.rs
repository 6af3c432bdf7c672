//! What `hive socket --format json` prints for the keeper that asks: on this machine, or on another over ssh.

use serde::{Deserialize, Serialize};

use crate::Open;

/// The one line of a `hive socket` that could do what it was told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SocketAnswer {
    /// Where the hive's unix socket is, or would be; absolute.
    pub socket_path: String,
    /// What there is of a hive now.
    pub state: Open<RunState>,
    /// Whether it answers requests.
    #[serde(default)]
    pub answers: bool,
    /// The process that `--start` started, where it is the hive that answers now.
    #[serde(default)]
    pub started_process: Option<i32>,
    /// The process that `--stop` stopped.
    #[serde(default)]
    pub stopped_process: Option<i32>,
}

/// The one line of a `hive socket` that could not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SocketRefusal {
    /// What happened to what, one sentence without a full stop.
    pub detail: String,
    /// What to do next.
    #[serde(default)]
    pub hint: Option<String>,
    /// The end of the hive's log, where that tells more.
    #[serde(default)]
    pub lines: Vec<String>,
}

/// What there is of the hive of a state folder.
///
/// A hive takes the lock before it makes its socket. One that ends in order removes the socket before it gives the lock
/// back; one that dies cannot, and the system gives its lock back alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// A process holds the lock: it runs, is about to, or is about to end.
    Running,
    /// Nothing but its files: it was stopped, or never ran.
    Stopped,
    /// A socket that nobody listens on.
    Died,
}

impl RunState {
    /// Reads it from what is there. The lock is looked at again after the socket: a hive may start between the looks.
    pub fn of(is_held: impl Fn() -> bool, has_socket: impl Fn() -> bool) -> Self {
        if is_held() {
            return Self::Running;
        }
        match (has_socket(), is_held()) {
            (_, true) => Self::Running,
            (true, false) => Self::Died,
            (false, false) => Self::Stopped,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn a_socket_without_a_holder_of_the_lock_is_a_death_and_no_socket_is_a_stop() {
        assert_eq!(RunState::of(|| true, || true), RunState::Running);
        assert_eq!(RunState::of(|| false, || true), RunState::Died);
        assert_eq!(RunState::of(|| false, || false), RunState::Stopped);
    }

    #[test]
    fn a_hive_that_starts_between_the_looks_runs() {
        let looks = Cell::new(0);
        let is_held = || looks.replace(looks.get() + 1) > 0;
        assert_eq!(RunState::of(is_held, || true), RunState::Running);
    }
}
