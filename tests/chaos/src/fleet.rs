//! Many runs, some at a time, each with a seed of its own and a limit.

use std::{panic, sync::Arc, time::Duration};

use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{Instant, timeout},
};

use crate::plan::Plan;
use crate::run::{Story, run};
use crate::tally::Tally;

/// A run that takes longer hangs. The longest that does not: two hives ask a silent Hub in vain, one after the other.
pub(crate) const RUN_LIMIT: Duration = Duration::from_mins(3);

/// Which runs there are to be.
#[derive(Clone, Copy, Debug)]
pub struct Fleet {
    /// The seed of the first run; each further one has the next number.
    pub seed: u64,
    /// How many runs.
    pub runs: u64,
    /// How many at a time.
    pub parallel: usize,
}

/// A run that broke a promise.
#[derive(Debug)]
pub struct Violation {
    /// Its seed, which makes the same plan again.
    pub seed: u64,
    /// What broke.
    pub what: String,
    /// What was scripted.
    pub plan: String,
}

impl Fleet {
    /// Runs all of them; every violation is told as it is found.
    pub async fn run(self, mut tell: impl FnMut(&Violation)) -> Tally {
        let begun = Instant::now();
        let mut tally = Tally::default();
        let places = Arc::new(Semaphore::new(self.parallel.max(1)));
        let mut running = JoinSet::new();
        let mut seeds = (0..self.runs).map(|number| self.seed.wrapping_add(number));
        let mut settle = |tally: &mut Tally, ended| match ended {
            Ok(story) => tally.add(story),
            Err(violation) => {
                tally.add_violation();
                tell(&violation);
            }
        };
        loop {
            // A semaphore that is never closed always gives its permit.
            let place = Arc::clone(&places).acquire_owned();
            tokio::select! {
                biased;
                Some(ended) = running.join_next() => settle(&mut tally, joined(ended)),
                Ok(place) = place => {
                    let Some(seed) = seeds.next() else { break };
                    running.spawn(async move {
                        let _place = place;
                        one(seed).await
                    });
                }
            }
        }
        while let Some(ended) = running.join_next().await {
            settle(&mut tally, joined(ended));
        }
        tally.wall = begun.elapsed();
        tally
    }
}

/// What scripted the run of this seed, in words.
pub fn plan_of(seed: u64) -> String {
    Plan::draw(seed).to_string()
}

async fn one(seed: u64) -> Result<Story, Violation> {
    let plan = Arc::new(Plan::draw(seed));
    let theirs = Arc::clone(&plan);
    let mut task = JoinSet::new();
    task.spawn(async move { Box::pin(run(&theirs)).await });
    let what = match timeout(RUN_LIMIT, task.join_next()).await {
        Ok(Some(Ok(Ok(story)))) => return Ok(story),
        Ok(Some(Ok(Err(broken)))) => format!("{broken:#}"),
        Ok(Some(Err(panic))) => format!("it panicked: {panic}"),
        Ok(None) | Err(_) => format!("it hangs: not ended after {RUN_LIMIT:?}"),
    };
    Err(Violation {
        seed,
        what,
        plan: plan.to_string(),
    })
}

/// The answer of a run's task, which has a task of its own below it for whatever may panic.
fn joined(
    ended: Result<Result<Story, Violation>, tokio::task::JoinError>,
) -> Result<Story, Violation> {
    ended.unwrap_or_else(|lost| panic::resume_unwind(lost.into_panic()))
}
