//! The process's own streams. Whoever does not read them holds up what they would have read, and never a signal: after
//! one that ends the command, what finds no room is given up.

use std::{
    fs::File,
    io::{self, Write},
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd},
        unix::fs::OpenOptionsExt,
    },
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::OFlags,
    io::Errno,
    termios::isatty,
};

use crate::signals;

/// As much as a pipe that has room takes at once (`PIPE_BUF`, pipe(7)).
const CHUNK_BYTES: usize = 4096;
/// How soon a wait sees a signal that came just before it.
const LOOK_EVERY: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 250_000_000,
};

/// Stdout or stderr, unbuffered.
pub(crate) struct Outlet {
    stream: BorrowedFd<'static>,
    /// The same once more where it is a terminal, which keeps a writer until all has found room. It is opened anew, since
    /// `O_NONBLOCK` on the stream would reach the shell that shares it.
    terminal: Option<File>,
    is_to_end: fn() -> bool,
    /// Something is missing on it: nothing can follow.
    is_given_up: bool,
}

impl Outlet {
    /// Writes there.
    pub(crate) fn new(stream: BorrowedFd<'static>) -> Self {
        Self::until(signals::has_come, stream)
    }

    /// The same until this says that the command is to end.
    fn until(is_to_end: fn() -> bool, stream: BorrowedFd<'static>) -> Self {
        Self {
            stream,
            terminal: isatty(stream).then(|| reopened(stream).ok()).flatten(),
            is_to_end,
            is_given_up: false,
        }
    }

    fn file(&self) -> BorrowedFd<'_> {
        self.terminal.as_ref().map_or(self.stream, AsFd::as_fd)
    }

    /// Waits until something fits in.
    fn wait_for_room(&mut self) -> io::Result<()> {
        while !self.is_given_up {
            let is_to_end = (self.is_to_end)();
            let mut waited = [PollFd::from_borrowed_fd(self.file(), PollFlags::OUT)];
            match poll(&mut waited, Some(&LOOK_EVERY)) {
                Ok(0) => self.is_given_up = is_to_end,
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "nobody reads what is on it",
        ))
    }
}

impl Write for Outlet {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.wait_for_room()?;
        let chunk = &bytes[..bytes.len().min(CHUNK_BYTES)];
        match rustix::io::write(self.file(), chunk) {
            // The room was too little for the next character, which poll(2) does not know.
            Err(Errno::AGAIN) if self.terminal.is_some() => {
                self.is_given_up = (self.is_to_end)();
                let _ = poll(&mut [], Some(&LOOK_EVERY));
                Err(io::ErrorKind::Interrupted.into())
            }
            written => Ok(written?),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The same terminal, whose writers do not wait.
fn reopened(terminal: BorrowedFd<'_>) -> io::Result<File> {
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    File::options()
        .write(true)
        .custom_flags(flags.bits().cast_signed())
        .open(format!("/proc/self/fd/{}", terminal.as_raw_fd()))
}

#[cfg(test)]
mod tests {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

    use super::*;

    #[test]
    fn a_terminal_that_nobody_reads_holds_up_nothing_that_is_to_end() {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&ours).unwrap();
        unlockpt(&ours).unwrap();
        let path = ptsname(&ours, Vec::new()).unwrap().into_string().unwrap();
        let theirs: &'static File =
            Box::leak(Box::new(File::options().write(true).open(path).unwrap()));
        let mut outlet = Outlet::until(|| true, theirs.as_fd());
        let error = outlet.write_all(&b"line\n".repeat(100_000)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
