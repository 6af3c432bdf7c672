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

    /// The log of a hive that keeper started.
    pub fn log(&self) -> PathBuf {
        self.0.join("hive.log")
    }

    /// The lock that the one hive of this folder holds (`flock`); its text is that hive's process id.
    pub fn lock(&self) -> PathBuf {
        self.0.join("hive.lock")
    }
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
