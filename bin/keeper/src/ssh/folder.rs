//! The folder of keeper's ssh connections: this person's alone, and short enough for the names of sockets in it.

use std::{
    ffi::OsString,
    fs::{self, DirBuilder, Metadata},
    io,
    os::unix::{
        ffi::OsStrExt,
        fs::{DirBuilderExt, MetadataExt},
    },
    path::{Path, PathBuf},
};

use super::trouble::Trouble;

/// The path of a unix socket has this many bytes at most (unix(7), `sun_path` without its last zero).
const SOCKET_PATH_BYTES_MAX: usize = 107;
/// ssh binds its control socket under a longer name first: a dot and 16 random letters (OpenSSH, mux.c).
const SSH_SUFFIX_BYTES: usize = 17;
/// A slash and the longest name that keeper gives: `m-` and 16 hex digits.
const NAME_BYTES: usize = 1 + 2 + 16;

/// `$XDG_RUNTIME_DIR/keeper` where that is usable, else `/tmp/keeper-<user id>`; made where it is missing.
pub(super) fn runtime_folder(
    variable: &impl Fn(&str) -> Option<OsString>,
) -> Result<PathBuf, Trouble> {
    let user = rustix::process::geteuid().as_raw();
    let of_session = variable("XDG_RUNTIME_DIR")
        .map(PathBuf::from)
        .filter(|folder| folder.is_absolute() && folder.is_dir())
        .map(|folder| folder.join("keeper"))
        .filter(|folder| fits(folder));
    let folder = of_session.unwrap_or_else(|| PathBuf::from(format!("/tmp/keeper-{user}")));
    prepare(&folder, user).map_err(|error| Trouble::NoFolder {
        reason: format!("{}: {error}", folder.display()),
    })?;
    Ok(folder)
}

fn fits(folder: &Path) -> bool {
    folder.as_os_str().as_bytes().len() + NAME_BYTES + SSH_SUFFIX_BYTES <= SOCKET_PATH_BYTES_MAX
}

fn prepare(folder: &Path, user: u32) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    check(&fs::symlink_metadata(folder)?, user)
}

/// Anyone may make a name in `/tmp`.
fn check(found: &Metadata, user: u32) -> io::Result<()> {
    if found.is_dir() && found.uid() == user && found.mode() & 0o777 == 0o700 {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::PermissionDenied,
        "it is not a folder of this user alone (mode 0700)",
    ))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_folder_of_the_session_is_taken_and_closed_to_others() {
        let session = tempfile::tempdir().unwrap();
        let path = session.path().as_os_str().to_owned();
        let variable = |name: &str| (name == "XDG_RUNTIME_DIR").then(|| path.clone());
        let folder = runtime_folder(&variable).unwrap();
        assert_eq!(folder, session.path().join("keeper"));
        assert_eq!(fs::metadata(&folder).unwrap().mode() & 0o777, 0o700);
        assert!(runtime_folder(&variable).is_ok());
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(matches!(
            runtime_folder(&variable),
            Err(Trouble::NoFolder { .. })
        ));
    }

    #[test]
    fn a_folder_of_another_or_a_link_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let user = rustix::process::geteuid().as_raw();
        let metadata = fs::symlink_metadata(folder.path()).unwrap();
        assert!(check(&metadata, user).is_ok());
        assert!(check(&metadata, user + 1).is_err());
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(folder.path(), &link).unwrap();
        assert!(prepare(&link, user).is_err());
    }

    #[test]
    fn the_longest_name_of_ssh_fits_into_the_path_of_a_socket() {
        assert!(fits(Path::new("/run/user/1000/keeper")));
        assert!(fits(Path::new(&format!("/{}", "x".repeat(70)))));
        assert!(!fits(Path::new(&format!("/{}", "x".repeat(71)))));
    }
}
