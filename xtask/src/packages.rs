//! The programs of others that a task needs, and how they come onto the machine: Debian's packages.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Result, ensure};
use rustix::process::geteuid;

use crate::programs::succeed;

/// Installs what is missing, where that is this task's to do. Each is a program and the package that has it.
pub(crate) fn install_missing(needed: &[(&str, &str)]) -> Result<()> {
    let missing: Vec<&str> = needed
        .iter()
        .filter(|(program, _)| path_of(program).is_none())
        .map(|(_, package)| *package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    // Under systemd Debian's package starts a public web server; that is for the machine's owner to decide.
    let ours = geteuid().is_root() && !Path::new("/run/systemd/system").exists();
    ensure!(
        ours && path_of("apt-get").is_some(),
        "programs are missing, install them with `sudo apt-get install {}`",
        missing.join(" ")
    );
    succeed(apt_get().arg("update"))?;
    succeed(
        apt_get()
            .args(["install", "--yes", "--no-install-recommends"])
            .args(missing),
    )
}

/// Where a program is: on the `PATH`, or where Debian keeps servers.
pub(crate) fn path_of(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin")])
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command
        .arg("--quiet")
        .env("DEBIAN_FRONTEND", "noninteractive");
    command
}
