//! `d` on a terminal: leave the job running.
//!
//! The terminal gives single keys while this lives, and signals as ever; the guard puts it back on every way out. Keys
//! are read from a file of our own, since `O_NONBLOCK` on stdin would reach the shell that shares it.

use std::{fs::File, io, os::unix::fs::OpenOptionsExt, time::Duration};

use rustix::{
    fs::OFlags,
    termios::{LocalModes, OptionalActions, Termios, isatty, tcgetattr, tcsetattr},
};
use tokio::net::unix::pipe::Receiver;

use super::course::Role;
use crate::foreground;

/// The key that leaves.
const LEAVE: u8 = b'd';
/// How often a process in the background looks whether it is in the foreground again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Keys of the terminal, or none where there is none.
pub(super) struct Keys(Option<Terminal>);

/// The controlling terminal in single-key mode.
struct Terminal {
    file: File,
    before: Termios,
    /// The same terminal, to be waited for: tokio's reader of pipes takes any file that can be polled.
    keys: Receiver,
}

impl Keys {
    /// Listens, if that is wanted and stdin is a terminal in whose foreground we are.
    pub(super) fn listen(wanted: bool) -> Self {
        Self(wanted.then(Terminal::open).and_then(Result::ok))
    }

    /// Has the terminal give single keys again: a shell that had it meanwhile has put it back.
    pub(super) fn take_up(&mut self) {
        if let Some(terminal) = &self.0
            && terminal.give_single_keys().is_err()
        {
            self.0 = None;
        }
    }

    /// The line that says which keys there are.
    pub(super) fn hint(&self, role: Role) -> &'static str {
        match (role, &self.0) {
            (Role::Submitter { .. }, Some(_)) => {
                "Ctrl+C cancels and keeps what is here, d leaves it running"
            }
            (Role::Submitter { .. }, None) => "Ctrl+C cancels and keeps what is here",
            (Role::Looker, _) => "Ctrl+C leaves and cancels nothing",
        }
    }

    /// Waits until `d` is pressed, for ever where there are no keys.
    pub(super) async fn leave_pressed(&mut self) {
        while let Some(terminal) = &self.0 {
            match terminal.pressed().await {
                Ok(keys) if keys.contains(&LEAVE) => return,
                Ok(keys) if keys.is_empty() => self.0 = None,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // The terminal is gone.
                Err(_) => self.0 = None,
            }
        }
        std::future::pending::<()>().await;
    }
}

impl Terminal {
    fn open() -> io::Result<Self> {
        if !isatty(rustix::stdio::stdin()) {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = File::options()
            .read(true)
            .custom_flags(flags.bits().cast_signed())
            .open("/dev/tty")?;
        // A background process that changes the terminal is stopped by SIGTTOU (termios(3)).
        if foreground::is_anothers() {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let keys = Receiver::from_file_unchecked(file.try_clone()?)?;
        let before = tcgetattr(&file)?;
        let terminal = Self { file, before, keys };
        terminal.give_single_keys()?;
        Ok(terminal)
    }

    fn give_single_keys(&self) -> io::Result<()> {
        let mut single_keys = self.before.clone();
        single_keys.local_modes -= LocalModes::ICANON | LocalModes::ECHO;
        Ok(tcsetattr(&self.file, OptionalActions::Now, &single_keys)?)
    }

    /// The next keys; none at the end of the terminal.
    async fn pressed(&self) -> io::Result<Vec<u8>> {
        self.keys.readable().await?;
        if foreground::is_anothers() {
            // A background process that reads from its terminal is stopped by SIGTTIN.
            tokio::time::sleep(LOOK_AGAIN).await;
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let mut keys = [0; 64];
        let count = self.keys.try_read(&mut keys)?;
        Ok(keys[..count].to_vec())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if !foreground::is_anothers() {
            let _ = tcsetattr(&self.file, OptionalActions::Now, &self.before);
        }
    }
}
