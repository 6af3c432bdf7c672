//! `chaos`: builds and runs tests/chaos, which knows the parts that this task does not.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::programs::cargo;

#[derive(Args)]
pub(crate) struct Options {
    /// The seed of the first run [default: the time]
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// How many runs; each has the next number as its seed
    #[arg(long, value_name = "N", default_value_t = 1000)]
    runs: u64,
    /// Build as it is shipped: slower to build, quicker to run
    #[arg(long)]
    release: bool,
}

/// Runs them in the foreground; Ctrl+C ends them, and their folders go with them.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let mut command = cargo();
    command.args(["run", "--quiet", "--package", "chaos"]);
    if options.release {
        command.arg("--release");
    }
    command.args(["--", "--runs", &options.runs.to_string()]);
    if let Some(seed) = options.seed {
        command.args(["--seed", &seed.to_string()]);
    }
    Ok(if command.status()?.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
