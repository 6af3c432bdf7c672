//! `crash`: kill -9 while jobs run, at named points and at random, then a new hive on the same folders.
//!
//! The programs are the shipped ones, with no hook in them: at a named point it is `strace` that kills.

mod dice;
mod download;
mod jobs;
mod life;
mod point;
mod store;

use std::{
    process::ExitCode,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Result, bail};
use clap::{Args, Subcommand};

use crate::{
    interruption::told_to_stop,
    packages,
    programs::{Profile, Programs},
};

#[derive(Subcommand)]
pub(crate) enum What {
    /// One download: it goes on by itself, and little is fetched twice
    Download(Kills),
    /// Many jobs, submitted, paused, cancelled and watched: what was told of each is true to its end
    Jobs(Kills),
}

/// When hives are killed.
#[derive(Args)]
pub(crate) struct Kills {
    /// Every named point once
    #[arg(long)]
    points: bool,
    /// So many times at random
    #[arg(long, value_name = "N", default_value_t = 0)]
    random: u64,
    /// The seed of the first random time; each further one has the next number [default: the time]
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
}

impl Kills {
    fn seed(&self) -> u64 {
        self.seed.unwrap_or_else(|| {
            let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
            since_epoch.map_or(0, |time| time.as_secs())
        })
    }
}

/// Kills and restarts as told, and prints what became of each.
pub(crate) async fn run(what: &What) -> Result<ExitCode> {
    packages::install_missing(&[("strace", "strace"), ("sqlite3", "sqlite3")])?;
    let programs = Programs::build(Profile::Dev)?;
    let failures = async {
        match what {
            What::Download(kills) => download::run(kills, &programs).await,
            What::Jobs(kills) => jobs::run(kills, &programs).await,
        }
    };
    tokio::select! {
        failures = failures => Ok(match failures? {
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
