//! `cargo xtask faults`: the rows of docs/FAULTS.md that a test cannot make by itself, on the real programs: a disk that
//! is full, closed or failing, locks that do nothing, a resolver that is silent; and what `doctor`
//! says of them. Needs root and strace.

mod disk;
mod doctor;
mod locks;
mod permissions;
mod resolver;
mod scene;

use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use rustix::process::geteuid;

use crate::{
    packages,
    programs::{Profile, Programs},
};

/// Runs every row and names each as it holds.
pub(crate) async fn run() -> Result<ExitCode> {
    ensure!(
        geteuid().is_root(),
        "mounts and the rights of other users need root"
    );
    packages::install_missing(&[("strace", "strace")])?;
    let programs = Programs::build(Profile::Dev)?;
    disk::run(&programs).await?;
    permissions::run(&programs).await?;
    locks::run(&programs).await?;
    resolver::run(&programs).await?;
    doctor::run(&programs).await?;
    eprintln!("Every fault ends as docs/FAULTS.md says");
    Ok(ExitCode::SUCCESS)
}

/// Says that a row holds, or which one does not.
fn told(row: &str, result: Result<()>) -> Result<()> {
    result.with_context(|| format!("`{row}` does not hold"))?;
    eprintln!("{row}");
    Ok(())
}
