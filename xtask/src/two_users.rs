//! Shows that two users of one machine have two hives: the second one's keeper neither finds nor disturbs the first
//! one's. Needs root, to run programs as two users.

use std::{
    fs,
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Command, ExitCode, Output},
};

use anyhow::{Context, Result, ensure};

use crate::programs::{Profile, Programs};

/// Any two that are not root; nothing has to exist under these numbers.
const FIRST_USER: u32 = 64001;
const SECOND_USER: u32 = 64002;

/// Starts a hive as one user and tries to reach it as another.
pub(crate) fn run() -> Result<ExitCode> {
    let folder = tempfile::TempDir::with_prefix("two-users-")?;
    let programs = Programs::build(Profile::Dev)?.readable_in(folder.path())?;
    let first = User::new(FIRST_USER, folder.path(), &programs)?;
    let second = User::new(SECOND_USER, folder.path(), &programs)?;

    succeed(&first.keeper(&["hive", "start"], &[])?)?;
    let checked = check(&first, &second);
    succeed(&first.keeper(&["hive", "stop"], &[])?)?;
    checked?;
    eprintln!("Two users have two hives");
    Ok(ExitCode::SUCCESS)
}

fn check(first: &User, second: &User) -> Result<()> {
    let no_start = [("KEEPER_NO_AUTOSTART", "1")];
    let alone = second.keeper(&["job", "list"], &no_start)?;
    ensure!(
        alone.status.code() == Some(3),
        "the second user found a hive: {alone:?}"
    );

    let state = first.home.join("state");
    let state = state
        .to_str()
        .context("a temporary folder has a plain name")?;
    for command in [&["job", "list"][..], &["hive", "stop"]] {
        let intruding = second.keeper(command, &[("HIVE_STATE_DIR", state), no_start[0]])?;
        ensure!(
            !intruding.status.success(),
            "`keeper {command:?}` reached another user's hive: {intruding:?}"
        );
        ensure!(
            !intruding.stderr.is_empty(),
            "`keeper {command:?}` failed and did not say why"
        );
    }
    succeed(&first.keeper(&["job", "list"], &no_start)?)
}

/// One user with a home of its own.
struct User {
    id: u32,
    home: PathBuf,
    keeper: PathBuf,
}

impl User {
    fn new(id: u32, folder: &Path, programs: &Programs) -> Result<Self> {
        let home = folder.join(id.to_string());
        fs::create_dir(&home)?;
        chown(&home, Some(id), Some(id)).context("becoming another user needs root")?;
        Ok(Self {
            id,
            home,
            keeper: programs.keeper(),
        })
    }

    fn keeper(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Result<Output> {
        Command::new(&self.keeper)
            .args(arguments)
            .env_clear()
            .env("HOME", &self.home)
            .env("HIVE_STATE_DIR", self.home.join("state"))
            .envs(variables.iter().copied())
            .current_dir(&self.home)
            .uid(self.id)
            .gid(self.id)
            .output()
            .context("keeper did not start as another user")
    }
}

fn succeed(output: &Output) -> Result<()> {
    ensure!(output.status.success(), "{output:?}");
    Ok(())
}
