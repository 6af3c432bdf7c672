//! What is said of the jobs when they are told to stop, and when keeper ends before they do.

use std::{collections::VecDeque, time::Duration};

use hive_api::{Job, JobId};

use crate::{
    hives::Hive,
    ui::{format, screens},
    watch::{CANCEL_LIMIT, course::Leaving, shown::Shown},
};

/// `Cancelling 2 jobs on gpu1, gpu2`: these are being told to stop.
pub(super) fn cancelling(cancelled: &VecDeque<JobId>, jobs: &[Shown]) -> String {
    let is_cancelled = |shown: &&Shown| {
        let id = shown.job.as_ref().map(|job| job.job_id);
        id.is_some_and(|id| cancelled.contains(&id))
    };
    match cancelled.len() {
        0 => {
            let waiting = jobs.iter().filter(|shown| !shown.has_ended);
            let hives = names(waiting);
            format!("Cancelling on {hives} as soon as it has answered")
        }
        1 => {
            let hives = names(jobs.iter().filter(is_cancelled));
            format!("Cancelling {} on {hives}", cancelled[0].short())
        }
        count => {
            let hives = names(jobs.iter().filter(is_cancelled));
            format!("Cancelling {count} jobs on {hives}")
        }
    }
}

/// One job has been cancelled, after this time; nothing else may tell which.
pub(super) fn cancelled(which: &str, time: Duration) -> String {
    let time = format::duration(time);
    format!("Cancelled{which} in {time}: connections closed, nothing of it runs any more")
}

/// The jobs had all succeeded when they were to be cancelled.
pub(super) fn too_late(jobs: &[Shown]) -> String {
    let remote = jobs.iter().filter(|shown| !shown.hive.is_local);
    let on = match names(remote) {
        none if none.is_empty() => none,
        names => format!(" on {names}"),
    };
    format!("Too late to cancel{on}: every file was already published")
}

/// The hives of these jobs, each once.
fn names<'a>(jobs: impl Iterator<Item = &'a Shown>) -> String {
    let mut names: Vec<&str> = Vec::new();
    for shown in jobs {
        if !names.contains(&shown.hive.name.as_str()) {
            names.push(&shown.hive.name);
        }
    }
    names.join(", ")
}

/// What becomes of each, hive by hive, and how to reach it; `None` stands for one that the hive may not have.
pub(super) fn lines(
    leaving: Leaving,
    unended: &[(usize, Option<JobId>)],
    jobs: &[Shown],
) -> Vec<String> {
    let mut told: Vec<&str> = Vec::new();
    let mut lines = Vec::new();
    for (index, _) in unended {
        let hive = &jobs[*index].hive;
        if told.contains(&hive.name.as_str()) {
            continue;
        }
        told.push(&hive.name);
        let theirs = unended
            .iter()
            .filter(|(other, _)| jobs[*other].hive.name == hive.name);
        let theirs: Vec<(&Shown, bool)> = theirs
            .map(|(other, id)| (&jobs[*other], id.is_some()))
            .collect();
        lines.extend(lines_of_hive(hive, leaving, &theirs));
    }
    lines
}

/// The same for one hive; with each job whether the hive is known to have it.
fn lines_of_hive(hive: &Hive, leaving: Leaving, unended: &[(&Shown, bool)]) -> Vec<String> {
    let mut lines = Vec::new();
    if unended.iter().any(|(_, is_there)| !is_there) {
        lines.extend(screens::left_before_accepted(hive));
    }
    let left: Vec<&Shown> = unended
        .iter()
        .filter_map(|(shown, is_there)| is_there.then_some(*shown))
        .collect();
    let jobs: Vec<&Job> = left.iter().filter_map(|shown| shown.job.as_ref()).collect();
    if jobs.is_empty() {
        return lines;
    }
    let no_hive_runs = left.iter().any(|shown| shown.hive_is_gone);
    lines.extend(match leaving {
        _ if no_hive_runs => screens::left_without_hive(hive, &jobs),
        Leaving::CancelUnconfirmed(_) => screens::left_before_cancelled(hive, &jobs, None),
        Leaving::CancelTimedOut(_) => {
            screens::left_before_cancelled(hive, &jobs, Some(CANCEL_LIMIT))
        }
        Leaving::JobsGoOn(_) | Leaving::Detached => screens::left(hive, &jobs),
    });
    lines
}
