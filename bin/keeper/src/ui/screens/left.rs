//! What becomes of a job that keeper does not follow any more, or just now.

use std::time::Duration;

use hive_api::{Job, JobState, Open};

use crate::{hives::Hive, revival::STARTS_MAX, ui::format};

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

/// What jobs do once their hive, which does not run, runs again.
pub(crate) const JOBS_WITH_THE_NEXT_HIVE: &str = "its jobs are kept until it runs again";

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

/// What becomes of jobs that keeper leaves, for one of them and for several, and the command to reach them by.
#[derive(PartialEq, Eq)]
struct Fate {
    one: &'static str,
    many: &'static str,
    label: &'static str,
    verb: &'static str,
}

impl Fate {
    const fn of(state: JobState) -> Self {
        let (one, many, label, verb) = match state {
            JobState::Pausing | JobState::Paused => {
                ("stays paused", "stay paused", "Resume", "resume")
            }
            JobState::Queued => ("stays in the queue", "stay in the queue", "Watch", "watch"),
            JobState::Cancelling => (
                "is being cancelled",
                "are being cancelled",
                "Watch",
                "watch",
            ),
            JobState::Running | JobState::Succeeded | JobState::Failed | JobState::Cancelled => {
                ("goes on", "go on", "Watch", "watch")
            }
        };
        Self {
            one,
            many,
            label,
            verb,
        }
    }
}

/// keeper leaves jobs that nobody told to stop.
pub(crate) fn left(hive: &Hive, jobs: &[&Job]) -> Vec<String> {
    let mut groups: Vec<(Fate, Vec<&Job>)> = Vec::new();
    for job in jobs {
        let fate = Fate::of(state_of(Some(job)));
        match groups.iter_mut().find(|(other, _)| *other == fate) {
            Some((_, group)) => group.push(job),
            None => groups.push((fate, vec![job])),
        }
    }
    let lines = groups.iter().flat_map(|(fate, jobs)| {
        let fates = if jobs.len() == 1 { fate.one } else { fate.many };
        [
            format!("Left {}: {} {fates}", hive.name, named(jobs)),
            way(hive, fate.label, fate.verb, jobs),
        ]
    });
    lines.collect()
}

/// keeper leaves jobs that were told to stop and may not have: at once, or after this time.
pub(crate) fn left_before_cancelled(
    hive: &Hive,
    jobs: &[&Job],
    waited: Option<Duration>,
) -> Vec<String> {
    let name = &hive.name;
    let happened = match waited {
        None => format!("Left before {name} answered"),
        Some(time) => format!("{name} did not confirm in {} s", time.as_secs()),
    };
    vec![
        format!("{happened}: {} may still run", named(jobs)),
        way(hive, "Cancel", "cancel", jobs),
    ]
}

/// keeper leaves jobs whose hive, that of this machine, does not run.
pub(crate) fn left_without_hive(hive: &Hive, jobs: &[&Job]) -> Vec<String> {
    let fate = match jobs {
        [job] => with_the_next_hive(Some(job)),
        _ => JOBS_WITH_THE_NEXT_HIVE,
    };
    vec![
        format!("Left {}, where no hive runs: {fate}", hive.name),
        way(hive, "Cancel", "cancel", jobs),
    ]
}

/// keeper leaves before it knows whether the hive has a job.
pub(crate) fn left_before_accepted(hive: &Hive) -> Vec<String> {
    let name = &hive.name;
    vec![
        format!("Left before {name} answered: it may have accepted the job"),
        format!("  {:<8}  {}", "Look", hive.command("job list")),
    ]
}

fn named(jobs: &[&Job]) -> String {
    match jobs {
        [job] => format!("job {}", job.job_id.short()),
        _ => format::count(jobs.len() as u64, "job"),
    }
}

fn way(hive: &Hive, label: &str, verb: &str, jobs: &[&Job]) -> String {
    let ids: Vec<String> = jobs.iter().map(|job| job.job_id.short()).collect();
    let command = hive.command(&format!("job {verb} {}", ids.join(" ")));
    format!("  {label:<8}  {command}")
}
