//! The process's own streams. Whoever does not read them holds up what they would have read, and never a signal: after
//! one that ends the command, what finds no room is given up.

use std::{
    io::{self, Write},
    os::fd::BorrowedFd,
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};

use crate::signals;

/// As much as a pipe that has room takes at once (`PIPE_BUF`, pipe(7)).
const CHUNK_BYTES: usize = 4096;
/// How soon a wait sees a signal that came just before it.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Stdout or stderr, unbuffered.
pub(crate) struct Outlet {
    stream: BorrowedFd<'static>,
    /// Something is missing on it: nothing can follow.
    is_given_up: bool,
}

impl Outlet {
    /// Writes there.
    pub(crate) const fn new(stream: BorrowedFd<'static>) -> Self {
        Self {
            stream,
            is_given_up: false,
        }
    }

    /// Waits until something fits in.
    fn wait_for_room(&mut self) -> io::Result<()> {
        let limit = Timespec {
            tv_sec: 0,
            tv_nsec: i64::from(LOOK_EVERY.subsec_nanos()),
        };
        while !self.is_given_up {
            let has_come = signals::has_come();
            let mut waited = [PollFd::from_borrowed_fd(self.stream, PollFlags::OUT)];
            match poll(&mut waited, Some(&limit)) {
                Ok(0) => self.is_given_up = has_come,
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
        Ok(rustix::io::write(self.stream, chunk)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
