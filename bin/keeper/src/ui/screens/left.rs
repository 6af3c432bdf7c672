//! What becomes of a job that keeper does not follow any more, or just now.

use std::time::Duration;

use hive_api::{Job, JobState, Open};

use crate::{hives::Hive, local_hive::STARTS_MAX};

/// `the job goes on`: what it does while nothing is heard of it.
pub(crate) fn meanwhile(job: Option<&Job>) -> &'static str {
    match state_of(job) {
        JobState::Queued => "the job stays in the queue",
        JobState::Pausing => "the job is being paused",
        JobState::Paused => "the job stays paused",
        JobState::Cancelling => "the job is being cancelled",
        JobState::Running | JobState::Succeeded | JobState::Failed | JobState::Cancelled => {
            "the job goes on"
        }
    }
}

/// What it does once its hive, which does not run, runs again.
pub(crate) fn with_the_next_hive(job: Option<&Job>) -> &'static str {
    match state_of(job) {
        JobState::Pausing | JobState::Paused => "the job stays paused until it is resumed",
        JobState::Cancelling => "the job is cancelled when it runs again",
        JobState::Queued
        | JobState::Running
        | JobState::Succeeded
        | JobState::Failed
        | JobState::Cancelled => "the job goes on when it runs again",
    }
}

/// The hive of this machine had died, and runs again for the so manyth time.
pub(crate) fn started_again(times: u32) -> String {
    format!("the hive had died, started it again ({times} of {STARTS_MAX})")
}

/// A state of a newer hive is one in which the job goes on.
fn state_of(job: Option<&Job>) -> JobState {
    match job.map(|job| &job.state) {
        Some(Open::Known(state)) => *state,
        Some(Open::Unknown(_)) | None => JobState::Running,
    }
}

/// keeper leaves a job that nobody told to stop.
pub(crate) fn left(hive: &Hive, job: &Job) -> [String; 2] {
    let short = job.job_id.short();
    let (what, label, verb) = match state_of(Some(job)) {
        JobState::Pausing | JobState::Paused => ("stays paused", "Resume", "resume"),
        JobState::Queued => ("stays in the queue", "Watch", "watch"),
        JobState::Cancelling => ("is being cancelled", "Watch", "watch"),
        JobState::Running | JobState::Succeeded | JobState::Failed | JobState::Cancelled => {
            ("goes on", "Watch", "watch")
        }
    };
    [
        format!("Left {}: job {short} {what}", hive.name),
        way(hive, label, &format!("job {verb} {short}")),
    ]
}

/// keeper leaves a job that was told to stop and may not have: at once, or after this time.
pub(crate) fn left_before_cancelled(
    hive: &Hive,
    job: &Job,
    waited: Option<Duration>,
) -> [String; 2] {
    let (name, short) = (&hive.name, job.job_id.short());
    let happened = match waited {
        None => format!("Left before {name} answered"),
        Some(time) => format!("{name} did not confirm in {} s", time.as_secs()),
    };
    [
        format!("{happened}: job {short} may still run"),
        way(hive, "Cancel", &format!("job cancel {short}")),
    ]
}

/// keeper leaves a job whose hive, that of this machine, does not run.
pub(crate) fn left_without_hive(hive: &Hive, job: &Job) -> [String; 2] {
    let (name, short) = (&hive.name, job.job_id.short());
    let fate = with_the_next_hive(Some(job));
    [
        format!("Left {name}, where no hive runs: {fate}"),
        way(hive, "Cancel", &format!("job cancel {short}")),
    ]
}

/// keeper leaves before it knows whether the hive has the job.
pub(crate) fn left_before_accepted(hive: &Hive) -> [String; 2] {
    let name = &hive.name;
    [
        format!("Left before {name} answered: it may have accepted the job"),
        way(hive, "Look", "job list"),
    ]
}

fn way(hive: &Hive, label: &str, command: &str) -> String {
    format!("  {label:<8}  {}", hive.command(command))
}
