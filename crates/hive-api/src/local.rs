//! Where the hive of one's own machine keeps its state, agreed between hive and keeper.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

/// The state folder of one user's hive on one machine, and the names in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateFolder(PathBuf);

impl StateFolder {
    /// Finds the folder: `HIVE_STATE_DIR`, else `$XDG_STATE_HOME/hive/<machine-id>`, else
    /// `$HOME/.local/state/hive/<machine-id>`. The machine id keeps machines apart that share a home.
    ///
    /// `variable` looks up an environment variable; an empty one counts as unset (XDG Base Directory
    /// Specification).
    pub fn locate(
        variable: impl Fn(&str) -> Option<OsString>,
        machine_id: &str,
    ) -> Result<Self, NoStateFolder> {
        let folder_in = |name: &str| {
            variable(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        if let Some(folder) = folder_in("HIVE_STATE_DIR") {
            return Ok(Self(folder));
        }
        let state_home = folder_in("XDG_STATE_HOME")
            .filter(|folder| folder.is_absolute())
            .or_else(|| folder_in("HOME").map(|home| home.join(".local/state")))
            .ok_or(NoStateFolder)?;
        Ok(Self(state_home.join("hive").join(machine_id)))
    }

    /// The state folder at this path.
    pub fn at(path: PathBuf) -> Self {
        Self(path)
    }

    /// The folder itself, mode 0700.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The unix socket, mode 0600: its permission is the token.
    pub fn socket(&self) -> PathBuf {
        self.0.join("hive.sock")
    }

    /// The job registry's database.
    pub fn database(&self) -> PathBuf {
        self.0.join("hive.db")
    }

    /// The local bearer token, mode 0600.
    pub fn token(&self) -> PathBuf {
        self.0.join("token")
    }

    /// The Hub's token that someone gave this hive, mode 0600.
    pub fn hub_token(&self) -> PathBuf {
        self.0.join("hub-token")
    }

    /// The named tokens, mode 0600: of each the sha256 alone.
    pub fn tokens(&self) -> PathBuf {
        self.0.join("tokens.json")
    }

    /// What was done by whom, one JSON object a line, mode 0600; older lines are in `audit.log.1` and on.
    pub fn audit_log(&self) -> PathBuf {
        self.0.join("audit.log")
    }

    /// The certificate that a hive made for itself.
    pub fn tls_certificate(&self) -> PathBuf {
        self.0.join("tls-cert.pem")
    }

    /// The private key of that certificate, mode 0600.
    pub fn tls_key(&self) -> PathBuf {
        self.0.join("tls-key.pem")
    }

    /// The log of a hive that keeper started.
    pub fn log(&self) -> PathBuf {
        self.0.join("hive.log")
    }

    /// The lock that the one hive of this folder holds (`flock`); its text is that hive's process id.
    pub fn lock(&self) -> PathBuf {
        self.0.join("hive.lock")
    }
}

/// The id that keeps machines apart: the first of `/etc/machine-id` (machine-id(5)), D-Bus's copy of it and the
/// host's name that `read` finds with something in it that can be a folder's name.
pub fn machine_id(read: impl Fn(&Path) -> Option<String>) -> String {
    [
        "/etc/machine-id",
        "/var/lib/dbus/machine-id",
        "/proc/sys/kernel/hostname",
    ]
    .iter()
    .filter_map(|path| read(Path::new(path)))
    .map(|text| text.trim().to_owned())
    .find(|text| !text.is_empty() && !text.starts_with('.') && !text.contains('/'))
    .unwrap_or_else(|| "this-machine".to_owned())
}

/// Neither `HIVE_STATE_DIR`, `XDG_STATE_HOME` nor `HOME` is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no state folder: set `HIVE_STATE_DIR`, or `HOME`")]
pub struct NoStateFolder;

#[cfg(test)]
mod tests {
    use super::*;

    fn locate(variables: &[(&str, &str)]) -> Result<PathBuf, NoStateFolder> {
        let lookup = |name: &str| {
            variables
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| OsString::from(value))
        };
        StateFolder::locate(lookup, "m1").map(|folder| folder.path().to_owned())
    }

    #[test]
    fn the_variable_wins_then_xdg_then_home() {
        let home = ("HOME", "/home/a");
        let xdg = ("XDG_STATE_HOME", "/state");
        assert_eq!(
            locate(&[home, xdg, ("HIVE_STATE_DIR", "/own")]),
            Ok("/own".into())
        );
        assert_eq!(locate(&[home, xdg]), Ok("/state/hive/m1".into()));
        assert_eq!(locate(&[home]), Ok("/home/a/.local/state/hive/m1".into()));
        assert_eq!(locate(&[]), Err(NoStateFolder));
    }

    #[test]
    fn the_machine_id_is_the_first_that_can_name_a_folder() {
        let id = |files: &[(&str, &str)]| {
            machine_id(|path| {
                files
                    .iter()
                    .find(|(name, _)| path == Path::new(name))
                    .map(|(_, text)| (*text).to_owned())
            })
        };
        let hostname = ("/proc/sys/kernel/hostname", "gpu1\n");
        assert_eq!(id(&[("/etc/machine-id", "4c5d\n"), hostname]), "4c5d");
        assert_eq!(id(&[("/etc/machine-id", "\n"), hostname]), "gpu1");
        assert_eq!(id(&[("/etc/machine-id", "../x"), hostname]), "gpu1");
        assert_eq!(id(&[]), "this-machine");
    }

    #[test]
    fn empty_and_relative_folders_count_as_unset() {
        let home = ("HOME", "/home/a");
        let expected = Ok("/home/a/.local/state/hive/m1".into());
        assert_eq!(
            locate(&[home, ("HIVE_STATE_DIR", ""), ("XDG_STATE_HOME", "")]),
            expected
        );
        assert_eq!(locate(&[home, ("XDG_STATE_HOME", "relative")]), expected);
    }
}
