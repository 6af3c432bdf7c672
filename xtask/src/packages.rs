//! The programs of others that a task needs, and how they come onto the machine: Debian's packages.

use std::{
    env,
    fs::File,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Result, ensure};
use rustix::process::geteuid;

use crate::programs::{Profile, built, succeed};

/// Installs what is missing, where that is this task's to do. Each is a program and the package that has it.
pub(crate) fn install_missing(needed: &[(&str, &str)]) -> Result<()> {
    if missing_of(needed).is_empty() {
        return Ok(());
    }
    // One at a time: tasks run side by side, and apt-get has one lock.
    let lock = File::create(built(Profile::Dev).join("packages.lock"))?;
    lock.lock()?;
    let missing = missing_of(needed);
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

fn missing_of<'a>(needed: &[(&str, &'a str)]) -> Vec<&'a str> {
    let is_missing = |(program, _): &&(&str, &str)| path_of(program).is_none();
    let missing = needed.iter().filter(is_missing);
    missing.map(|(_, package)| *package).collect()
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
