//! Who holds the lock of a state folder: the one process that is its hive.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
    process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
};

/// The process that holds the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Holder(Pid);

impl Holder {
    /// The holder of this lock file, or `None` when nobody holds it.
    pub(crate) fn of(lock: &Path) -> io::Result<Option<Self>> {
        let mut file = match File::open(lock) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        match flock(&file, FlockOperation::NonBlockingLockShared) {
            // Closing the file gives the lock back at once.
            Ok(()) => Ok(None),
            Err(Errno::WOULDBLOCK) => {
                let mut text = String::new();
                (&mut file).take(32).read_to_string(&mut text)?;
                let pid = text.trim().parse().ok().and_then(Pid::from_raw);
                let pid = pid.ok_or_else(|| {
                    io::Error::new(
                        io::ErrorKind::InvalidData,
                        "the lock is held and names no process",
                    )
                })?;
                Ok(Some(Self(pid)))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Asks it to end. The process is pinned before the lock is looked at again, so that a process id that was
    /// given to another program meanwhile cannot be hit.
    pub(crate) fn ask_to_end(self, lock: &Path) -> io::Result<()> {
        let process = pidfd_open(self.0, PidfdFlags::empty())?;
        if Self::of(lock)? == Some(self) {
            pidfd_send_signal(&process, Signal::TERM)?;
        }
        Ok(())
    }

    /// Its process id.
    pub(crate) fn pid(self) -> i32 {
        self.0.as_raw_nonzero().get()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_lock_that_nobody_holds_has_no_holder() {
        let folder = tempfile::tempdir().unwrap();
        let lock = folder.path().join("hive.lock");
        assert_eq!(Holder::of(&lock).unwrap(), None);
        fs::write(&lock, "1").unwrap();
        assert_eq!(Holder::of(&lock).unwrap(), None);
    }

    #[test]
    fn a_held_lock_names_its_process() {
        let folder = tempfile::tempdir().unwrap();
        let lock = folder.path().join("hive.lock");
        fs::write(&lock, "4711\n").unwrap();
        let held = File::open(&lock).unwrap();
        flock(&held, FlockOperation::LockExclusive).unwrap();
        assert_eq!(Holder::of(&lock).unwrap().map(Holder::pid), Some(4711));
        fs::write(&lock, "nonsense").unwrap();
        assert!(Holder::of(&lock).is_err());
    }
}
