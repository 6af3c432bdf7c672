//! `crash jobs`: a script submits, pauses, resumes and cancels jobs and everyone watches, while their hive is killed and
//! started again. At the end the histories are held to what a hive promises.

mod checks;
mod history;
mod night;
mod script;

use anyhow::Result;

use self::night::{Death, Night};
use super::{
    Kills,
    point::{JOB_POINTS, Point},
};
use crate::programs::Programs;

/// Plays every night and gives the number of those in which something was wrong.
pub(super) async fn run(kills: &Kills, programs: &Programs) -> Result<u64> {
    let points: &[Point] = if kills.points { JOB_POINTS } else { &[] };
    let seed = kills.seed();
    let named = points
        .iter()
        .zip(1..)
        .map(|(point, seed)| (Death::At(point), seed));
    let random = (0..kills.random).map(|number| (Death::AtRandom, seed.wrapping_add(number)));
    let mut failures = 0;
    eprintln!("| Killed | Times | Jobs | Events | Result |\n|---|--:|--:|--:|---|");
    for (death, seed) in named.chain(random) {
        match Night::play(programs, &death, seed).await {
            Ok(told) => eprintln!(
                "| {death} | {} | {} | {} | right |",
                told.deaths, told.jobs, told.events
            ),
            Err(error) => {
                failures += 1;
                let again = death.command(seed);
                eprintln!("| {death} | | | | FAILED: {error:#}; again with {again} |");
            }
        }
    }
    eprintln!("{failures} failures");
    Ok(failures)
}
