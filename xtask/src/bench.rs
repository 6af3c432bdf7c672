//! Benchmarks of whole programs. Each prints its figures and writes its section of docs/benchmarks.md.

mod download;
mod figures;
mod flood;
mod jobs;
mod latency;
mod report;

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

#[derive(Subcommand)]
pub(crate) enum What {
    /// How soon a word comes, and how soon everything stops
    Latency {
        /// How often each is measured
        #[arg(long, default_value_t = 100)]
        runs: u32,
    },
    /// How fast a verified download is beside curl, aria2c and `hf`, at which cost
    Download(download::Options),
    /// How a hive bears strangers who begin and never finish
    Flood(flood::Options),
    /// How a hive bears many jobs and many watchers, and how still it is with none
    Jobs(jobs::Options),
}

/// Measures, prints, and writes down.
pub(crate) async fn run(what: What) -> Result<ExitCode> {
    match what {
        What::Latency { runs } => latency::run(runs).await,
        What::Download(options) => download::run(options).await,
        What::Flood(options) => flood::run(&options).await,
        What::Jobs(options) => jobs::run(&options).await,
    }
}
