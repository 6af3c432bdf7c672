//! The files in the state folder: opened only where they are plain files of our own, so that nothing that was put in
//! their place can hold us up or lend us another's secret.

use std::{
    fs::{File, Metadata, OpenOptions, Permissions},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    path::Path,
};

use rustix::{fs::OFlags, io::Errno};

use super::StateFolderError;

/// Permission bits of the group and of others.
pub(crate) const OTHERS: u32 = 0o077;

/// Opens a file of the state folder without following a link and without waiting for the other end of a pipe; one
/// that is made is closed to others.
pub(crate) fn open(path: &Path, options: &mut OpenOptions) -> Result<File, OpenFileError> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let not_a_file = || StateFolderError::NotAFile {
        path: path.to_owned(),
    };
    let opened = options
        .mode(0o600)
        .custom_flags(flags.bits().cast_signed())
        .open(path);
    let file = opened.map_err(|error| match Errno::from_io_error(&error) {
        // A link, a socket or a pipe nobody reads, a folder (open(2)).
        Some(Errno::LOOP | Errno::NXIO | Errno::ISDIR) => OpenFileError::Refused(not_a_file()),
        _ => OpenFileError::Io(error),
    })?;
    let metadata = file.metadata().map_err(OpenFileError::Io)?;
    check(path, &metadata, rustix::process::geteuid().as_raw()).map_err(OpenFileError::Refused)?;
    Ok(file)
}

/// Why a file of the state folder was not opened.
pub(crate) enum OpenFileError {
    /// It is not a plain file of ours.
    Refused(StateFolderError),
    /// The system refused.
    Io(io::Error),
}

/// Closes a file that others can open, if it is there.
pub(super) fn close_to_others(path: &Path) -> Result<(), OpenFileError> {
    let file = match open(path, OpenOptions::new().read(true)) {
        Ok(file) => file,
        Err(OpenFileError::Io(error)) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let mode = file.metadata().map_err(OpenFileError::Io)?.mode() & 0o777;
    if mode & OTHERS == 0 {
        return Ok(());
    }
    tracing::warn!(file.path = %path.display(), file.mode = format!("{mode:03o}"), "closing it to other users");
    file.set_permissions(Permissions::from_mode(0o600))
        .map_err(OpenFileError::Io)
}

fn check(path: &Path, metadata: &Metadata, user: u32) -> Result<(), StateFolderError> {
    let path = path.to_owned();
    if !metadata.is_file() {
        return Err(StateFolderError::NotAFile { path });
    }
    let owner = metadata.uid();
    if owner != user {
        return Err(StateFolderError::FileNotOurs { path, owner, user });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_another_user_is_refused_by_name() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("token");
        std::fs::write(&path, "secret")?;
        let metadata = path.metadata()?;
        let owner = metadata.uid();
        assert!(check(&path, &metadata, owner).is_ok());
        for user in [0, owner + 1].into_iter().filter(|&user| user != owner) {
            let refused = check(&path, &metadata, user).map_err(|error| error.to_string());
            assert!(refused.is_err_and(|text| text.contains(&*path.to_string_lossy())));
        }
        Ok(())
    }
}
