//! What a hive that is gone has left behind tells how it ended.
//!
//! A hive takes the lock before it makes its socket. One that ends in order removes the socket before it gives the lock
//! back; one that dies cannot, and the system gives its lock back alone.

use hive_api::StateFolder;

use super::Holder;

/// What there is of the hive of a state folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Remains {
    /// A process holds the lock: it runs, is about to, or is about to end.
    Running,
    /// Nothing but its files: it was stopped, or never ran.
    Stopped,
    /// A socket that nobody listens on.
    Died,
}

impl Remains {
    /// What there is now.
    pub(crate) fn of(folder: &StateFolder) -> Self {
        // A lock that cannot be read is no sign of a death.
        let is_held = || !matches!(Holder::of(&folder.lock()), Ok(None));
        if is_held() {
            return Self::Running;
        }
        let has_socket = folder.socket().symlink_metadata().is_ok();
        match (has_socket, is_held()) {
            // A hive that was started between the two looks.
            (_, true) => Self::Running,
            (true, false) => Self::Died,
            (false, false) => Self::Stopped,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{ffi::OsString, fs::File, os::unix::net::UnixListener};

    use rustix::fs::{FlockOperation, flock};

    use super::*;

    #[test]
    fn a_socket_without_a_holder_of_the_lock_is_a_death_and_no_socket_is_a_stop() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().as_os_str().to_owned();
        let variable =
            |name: &str| -> Option<OsString> { (name == "HIVE_STATE_DIR").then(|| path.clone()) };
        let folder = StateFolder::locate(variable, "m1").unwrap();
        assert_eq!(Remains::of(&folder), Remains::Stopped);

        let lock = File::create(folder.lock()).unwrap();
        flock(&lock, FlockOperation::LockExclusive).unwrap();
        drop(UnixListener::bind(folder.socket()).unwrap());
        assert_eq!(Remains::of(&folder), Remains::Running);

        drop(lock);
        assert_eq!(Remains::of(&folder), Remains::Died);
        std::fs::remove_file(folder.socket()).unwrap();
        assert_eq!(Remains::of(&folder), Remains::Stopped);
    }
}
