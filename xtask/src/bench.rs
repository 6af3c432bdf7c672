//! Benchmarks of whole programs. Each prints its figures and writes its section of docs/benchmarks.md.

mod figures;
mod latency;
mod report;

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

#[derive(Clone, Copy, Subcommand)]
pub(crate) enum What {
    /// How soon a word comes, and how soon everything stops
    Latency {
        /// How often each is measured
        #[arg(long, default_value_t = 100)]
        runs: u32,
    },
}

/// Measures, prints, and writes down.
pub(crate) async fn run(what: What) -> Result<ExitCode> {
    match what {
        What::Latency { runs } => latency::run(runs).await,
    }
}
