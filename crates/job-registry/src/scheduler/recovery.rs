//! Putting in order, before anything runs, what an earlier hive left unfinished.

use std::sync::Arc;

use futures_util::{StreamExt, stream};
use hive_api::{Job, JobState, Open, Phase, Problem, ProblemCode};
use jiff::Timestamp;

use crate::{
    RegistryError,
    change::{self, Change},
    database::Unfinished,
    live::{LiveJob, is_at_work},
    registry::Shared,
    scheduler::story::tell,
    transition::{Standing, Transition, Trigger, transition},
};

/// Crashes of the hive without a new byte in between that fail a job.
pub(super) const CRASHES_UNTIL_FAILED: u32 = 5;

/// Look-ups of what jobs have left that are under way together: each waits for a file system.
const LOOK_UPS_AT_ONCE: usize = 32;

/// Applies the restart to every unfinished job in one transaction, and takes them all into memory.
pub(crate) async fn recover(shared: &Shared) -> Result<(), RegistryError> {
    let now = shared.settings.wall_clock.now();
    let judged = stream::iter(shared.database.unfinished().await?)
        .map(async |mut unfinished: Unfinished| {
            if is_at_work(&unfinished.job)
                && let Some(bytes) = shared.settings.left_bytes.of(&unfinished.job).await
            {
                unfinished.job.partial_bytes_kept = bytes;
            }
            let (crashes, change) = after_crash(&unfinished.job, unfinished.crashes, now);
            (unfinished, crashes, change)
        })
        .buffered(LOOK_UPS_AT_ONCE);
    let jobs: Vec<(Unfinished, u32, Option<Change>)> = judged.collect().await;
    let changes = jobs
        .iter()
        .filter_map(|(unfinished, crashes, change)| Some((unfinished, *crashes, change.as_ref()?)));
    shared.database.commit_all(changes).await?;
    for (Unfinished { number, job, .. }, crashes, change) in jobs {
        let wall_clock = shared.settings.wall_clock.clone();
        let live = LiveJob::new(number, job, wall_clock).with_crashes(crashes > 0);
        if let Some(change) = change {
            tell(&change);
            live.publish(change);
        }
        if !live.job().state.has_ended() {
            shared.live.insert(Arc::new(live));
        }
    }
    Ok(())
}

/// What a restart of the hive makes of an unfinished job, and the crashes that count against it from now on. A hive
/// that stopped in order left nothing running, so what is found running was left by a crash.
pub(super) fn after_crash(job: &Job, crashes: u32, now: Timestamp) -> (u32, Option<Change>) {
    let standing = Standing::of(job);
    let is_counted = counts(standing, job);
    let crashes = crashes.saturating_add(is_counted.into());
    let trigger = if is_counted && crashes >= CRASHES_UNTIL_FAILED {
        Trigger::CrashedTooOften
    } else {
        Trigger::HiveRestarted
    };
    let change = match transition(standing, trigger) {
        Transition::To(state) => {
            let outcome = if state == JobState::Failed {
                Some(Err(attempts_exhausted(job)))
            } else {
                None
            };
            Some(change::moved(job, state, outcome, now))
        }
        Transition::Stay | Transition::Publish | Transition::Refuse => None,
    };
    (crashes, change)
}

/// Whether the crash that left the job like this counts against it. One that waited for the network had no chance.
fn counts(standing: Standing, job: &Job) -> bool {
    let waited = job.phase.as_ref().and_then(Open::known) == Some(&Phase::WaitingForNetwork);
    match standing {
        Standing::Publishing => true,
        Standing::In(JobState::Running) => !waited,
        Standing::In(
            JobState::Queued
            | JobState::Pausing
            | JobState::Paused
            | JobState::Cancelling
            | JobState::Succeeded
            | JobState::Failed
            | JobState::Cancelled,
        )
        | Standing::Unknown => false,
    }
}

fn attempts_exhausted(job: &Job) -> Problem {
    let detail = format!(
        "the hive crashed {CRASHES_UNTIL_FAILED} times while this job ran, and no new byte came in between"
    );
    let hint = format!(
        "see what the hive's log says before each of its starts, then keeper job retry {}",
        job.job_id.short()
    );
    Problem::new(ProblemCode::AttemptsExhausted, detail).with_hint(hint)
}
