//! `crash download`: one download, killed, then a new hive on the same folders: the job goes on by itself, the file is
//! right, nothing else is left, and little is fetched a second time.

mod fetched;
mod trial;

use anyhow::Result;

use self::trial::{Bench, Recovered, Trial};
use super::{Kills, point::POINTS};
use crate::programs::Programs;

/// The number of trials that failed.
pub(super) async fn run(kills: &Kills, programs: &Programs) -> Result<u64> {
    let named = POINTS.iter().filter(|_| kills.points).map(Trial::At);
    let random = (0..kills.random).map(|number| Trial::AtRandom(kills.seed().wrapping_add(number)));
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
