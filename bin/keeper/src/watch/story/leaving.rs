//! What is said of the jobs when keeper ends before they do.

use hive_api::{Job, JobId};

use crate::{
    hives::Hive,
    ui::screens,
    watch::{CANCEL_LIMIT, course::Leaving, shown::Shown},
};

/// What becomes of each, and how to reach it; `None` stands for one that the hive may not have.
pub(super) fn lines(
    hive: &Hive,
    leaving: Leaving,
    unended: &[Option<JobId>],
    jobs: &[Shown],
) -> Vec<String> {
    let shown = |id: &JobId| {
        let mut jobs = jobs.iter();
        jobs.find(|shown| shown.job.as_ref().is_some_and(|job| job.job_id == *id))
    };
    let left: Vec<&Shown> = unended.iter().flatten().filter_map(shown).collect();
    let jobs: Vec<&Job> = left.iter().filter_map(|shown| shown.job.as_ref()).collect();
    let mut lines = Vec::new();
    if unended.contains(&None) {
        lines.extend(screens::left_before_accepted(hive));
    }
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
