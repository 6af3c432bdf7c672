//! `crash`: kill -9 while a job runs, at named points and at random, then a new hive on the same folders: the job goes
//! on by itself, the file is right, nothing else is left, and little is fetched a second time.
//!
//! The programs are the shipped ones, with no hook in them: at a named point it is `strace` that kills.

mod fetched;
mod life;
mod point;
mod store;
mod trial;

use std::{
    process::ExitCode,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Result, bail};
use clap::Args;

use self::{
    point::POINTS,
    trial::{Bench, Recovered, Trial},
};
use crate::{
    interruption::told_to_stop,
    packages,
    programs::{Profile, Programs},
};

#[derive(Args)]
pub(crate) struct Options {
    /// Every named point once
    #[arg(long)]
    points: bool,
    /// So many kills at random moments
    #[arg(long, value_name = "N", default_value_t = 0)]
    random: u64,
    /// The seed of the first random moment; each further one has the next number [default: the time]
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
}

/// Kills and restarts as told, and prints what became of each.
pub(crate) async fn run(options: &Options) -> Result<ExitCode> {
    if options.points {
        packages::install_missing(&[("strace", "strace")])?;
    }
    let programs = Programs::build(Profile::Dev)?;
    tokio::select! {
        failures = all(options, &programs) => Ok(match failures? {
            0 => ExitCode::SUCCESS,
            _ => ExitCode::FAILURE,
        }),
        // Every child and every folder goes with the future that is dropped here.
        told = told_to_stop() => {
            told?;
            bail!("interrupted");
        }
    }
}

/// The number of trials that failed.
async fn all(options: &Options, programs: &Programs) -> Result<u64> {
    let seed = options.seed.unwrap_or_else(seed_of_the_clock);
    let named = POINTS.iter().filter(|_| options.points).map(Trial::At);
    let random = (0..options.random).map(|number| Trial::AtRandom(seed.wrapping_add(number)));
    let bench = Bench::start(programs).await;
    let mut failures = 0;
    let mut worst_bytes = 0;
    eprintln!("| Killed | Resumed from | Fetched again | Result |\n|---|--:|--:|---|");
    for trial in named.chain(random) {
        match bench.run(&trial).await {
            Ok(Recovered {
                resumed_bytes,
                again_bytes,
            }) => {
                worst_bytes = worst_bytes.max(again_bytes);
                let (resumed, again) = (mib(resumed_bytes), mib(again_bytes));
                eprintln!("| {trial} | {resumed} | {again} | right |");
            }
            Err(error) => {
                failures += 1;
                eprintln!(
                    "| {trial} | | | FAILED: {error:#}; again with {} |",
                    trial.command()
                );
            }
        }
    }
    eprintln!(
        "{failures} failures; at most {} fetched again",
        mib(worst_bytes)
    );
    Ok(failures)
}

fn mib(bytes: u64) -> String {
    format!("{}.{} MiB", bytes >> 20, ((bytes & 0xF_FFFF) * 10) >> 20)
}

fn seed_of_the_clock() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
    since_epoch.map_or(0, |time| time.as_secs())
}
