//! Programs from the Python package index, each set in a virtual environment below `target`.

use std::{path::PathBuf, process::Command};

use anyhow::Result;

use crate::programs::{root, succeed};

/// Installs these packages, quickly when they are there already, and says where the environment is.
pub(crate) fn install(name: &str, packages: &[&str]) -> Result<PathBuf> {
    let folder = root().join("target").join(name);
    if !folder.join("bin/pip").exists() {
        succeed(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    }
    let pip = folder.join("bin/pip");
    succeed(
        Command::new(pip)
            .args(["install", "--quiet", "--disable-pip-version-check"])
            .args(packages),
    )?;
    Ok(folder)
}
