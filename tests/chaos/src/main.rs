//! `cargo xtask chaos`: many runs, and one line that replays each which broke a promise.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "what it prints is this program's output"
)]

use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use chaos::{Fleet, Violation, plan_of};
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

/// Seeded downloads under random faults.
#[derive(Parser)]
#[command(name = "cargo xtask chaos")]
struct Arguments {
    /// The seed of the first run [default: the time]
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// How many runs; each has the next number as its seed
    #[arg(long, value_name = "N", default_value_t = 1000)]
    runs: u64,
    /// How many at a time
    #[arg(long, value_name = "N", default_value_t = 24)]
    parallel: usize,
}

/// Blocking file work of many downloads at a time.
const BLOCKING_THREADS: usize = 4096;

fn main() -> std::io::Result<ExitCode> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .max_blocking_threads(BLOCKING_THREADS)
        .enable_all()
        .build()?;
    let seed = arguments.seed.unwrap_or_else(seed_of_the_clock);
    let fleet = Fleet {
        seed,
        runs: arguments.runs,
        parallel: arguments.parallel,
    };
    eprintln!("cargo xtask chaos --seed {seed} --runs {}", fleet.runs);
    if fleet.runs == 1 {
        eprintln!("{}", plan_of(seed));
    }
    let tally = runtime.block_on(async {
        tokio::select! {
            tally = fleet.run(tell) => Ok(Some(tally)),
            // Every run and its folder go with the future that is dropped here, and with the runtime.
            told = told_to_stop() => told.map(|()| None),
        }
    })?;
    let Some(tally) = tally else {
        eprintln!("interrupted");
        return Ok(ExitCode::FAILURE);
    };
    println!("{tally}");
    Ok(if tally.is_clean() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn told_to_stop() -> std::io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

fn tell(violation: &Violation) {
    let Violation { seed, what, plan } = violation;
    eprintln!("cargo xtask chaos --seed {seed} --runs 1   # {what}; scripted: {plan}");
}

fn seed_of_the_clock() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
    since_epoch.map_or(0, |time| time.as_secs())
}
