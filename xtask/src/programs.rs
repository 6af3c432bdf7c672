//! Builds hive and keeper and says where they are.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use anyhow::{Context, Result, bail};

/// The two programs, built in one profile.
pub(crate) struct Programs {
    folder: PathBuf,
}

/// How the programs are built.
#[derive(Clone, Copy)]
pub(crate) enum Profile {
    /// As the tests build them.
    Dev,
    /// As they are shipped.
    Release,
}

impl Programs {
    /// Builds both, quickly when nothing has changed.
    pub(crate) fn build(profile: Profile) -> Result<Self> {
        let mut build = cargo();
        build.args([
            "build",
            "--quiet",
            "--package",
            "hive",
            "--package",
            "keeper",
            "--bins",
        ]);
        if let Profile::Release = profile {
            build.arg("--release");
        }
        succeed(&mut build)?;
        Ok(Self {
            folder: built(profile),
        })
    }

    /// A copy below `folder`, where every user may read them.
    pub(crate) fn readable_in(&self, folder: &Path) -> Result<Self> {
        let copies = folder.join("bin");
        fs::create_dir(&copies)?;
        for (name, program) in [("hive", self.hive()), ("keeper", self.keeper())] {
            fs::copy(program, copies.join(name))?;
        }
        for open in [folder, copies.as_path()] {
            fs::set_permissions(open, fs::Permissions::from_mode(0o755))?;
        }
        Ok(Self { folder: copies })
    }

    /// The server.
    pub(crate) fn hive(&self) -> PathBuf {
        self.folder.join("hive")
    }

    /// The command line.
    pub(crate) fn keeper(&self) -> PathBuf {
        self.folder.join("keeper")
    }
}

/// Runs keeper with the caller's environment and terminal.
pub(crate) fn run_keeper(arguments: &[String]) -> Result<ExitCode> {
    let programs = Programs::build(Profile::Release)?;
    let status = Command::new(programs.keeper())
        .args(arguments)
        .status()
        .context("keeper did not start")?;
    Ok(status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .map_or(ExitCode::FAILURE, ExitCode::from))
}

/// Installs both into cargo's bin folder.
pub(crate) fn install() -> Result<ExitCode> {
    for package in ["bin/hive", "bin/keeper"] {
        succeed(
            cargo()
                .args(["install", "--locked", "--path"])
                .arg(root().join(package)),
        )?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The cargo that runs this task, in the repository's root.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// Where cargo puts what it builds.
pub(crate) fn built(profile: Profile) -> PathBuf {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    target.join(match profile {
        Profile::Dev => "debug",
        Profile::Release => "release",
    })
}

/// The repository's root.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap_or_else(|| Path::new("."))
}

/// Runs a command to its end and fails unless it succeeds.
pub(crate) fn succeed(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("{command:?} did not start"))?;
    if !status.success() {
        bail!("{command:?} ended with {status}");
    }
    Ok(())
}
