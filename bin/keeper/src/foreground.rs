//! Whose the terminal is, as a shell with job control gives it: Ctrl+Z takes it from keeper, `fg` gives it back.

use std::{
    fs::File,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use rustix::{process::getpgrp, termios::tcgetpgrp};
use signal_hook::{consts::SIGCONT, flag};

/// Whether keeper's terminal has other processes in its foreground: bars would draw over them, Ctrl+C is theirs, and to
/// read keys or to change the terminal's modes would stop keeper (SIGTTIN and SIGTTOU, termios(3)).
pub(crate) fn is_anothers() -> bool {
    // The terminal that sends the signals, whatever the streams are.
    let foreground = File::open("/dev/tty").map(tcgetpgrp);
    foreground.is_ok_and(|group| group.is_ok_and(|group| group != getpgrp()))
}

/// What has become of the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// It is another's: others write to it, and keeper says lines.
    Lost,
    /// It is keeper's, and was another's meanwhile: its modes and its cursor may be anywhere.
    TakenUp,
}

/// The terminal as it was at the last look.
pub(crate) struct Foreground {
    /// Whether keeper was stopped since, and goes on.
    continued: Arc<AtomicBool>,
    is_ours: bool,
}

impl Foreground {
    /// Watches the terminal from now on.
    pub(crate) fn watch() -> Self {
        let continued = Arc::default();
        if let Err(error) = flag::register(SIGCONT, Arc::clone(&continued)) {
            tracing::debug!(%error, "bars may be drawn over what a shell says after Ctrl+Z");
        }
        Self {
            continued,
            is_ours: !is_anothers(),
        }
    }

    /// What has happened since the last look. A job that runs in the background comes to the foreground without a
    /// signal, and one that was stopped may have missed that the terminal was another's.
    pub(crate) fn look(&mut self) -> Option<Change> {
        let was_ours = !self.continued.swap(false, Ordering::Relaxed) && self.is_ours;
        let had_it = std::mem::replace(&mut self.is_ours, !is_anothers());
        match (self.is_ours, was_ours) {
            (true, false) => Some(Change::TakenUp),
            (false, _) if had_it => Some(Change::Lost),
            _ => None,
        }
    }
}
