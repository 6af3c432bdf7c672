//! How a job ended: done, failed with a way on, cancelled with what is kept.

use std::time::Duration;

use hive_api::{Job, JobResult, Open};

use super::{code_of, labelled, others};
use crate::{hives::Hive, ui::format};

/// `Done: 142.3 GB in 27 min, every sha256 checked`.
pub(crate) fn done(job: &Job) -> String {
    let Some(Open::Known(JobResult::ModelDownload(model))) = &job.result else {
        return "Done".to_owned();
    };
    let size = format::size(model.bytes_total);
    if model.bytes_received == 0 {
        return format!("Done: {size}, all of it already here");
    }
    let time = took(job).map(|time| format!(" in {}", format::duration(time)));
    let received = if model.bytes_received < model.bytes_total {
        format!(
            "{} of it received and every",
            format::size(model.bytes_received)
        )
    } else {
        "every".to_owned()
    };
    format!(
        "Done: {size}{}, {received} sha256 checked",
        time.unwrap_or_default()
    )
}

/// From the last start of a job to its end.
fn took(job: &Job) -> Option<Duration> {
    let started = job.started_at.unwrap_or(job.created_at);
    job.finished_at?.duration_since(started).try_into().ok()
}

/// `Failed on gpu1: …` with why, what next, and the code.
pub(crate) fn failed(hive: &Hive, job: &Job) -> Vec<String> {
    let short = job.job_id.short();
    let Some(problem) = &job.error else {
        return vec![format!(
            "Failed on {}: job {short} gave no reason",
            hive.name
        )];
    };
    let mut lines = vec![format!("Failed on {}: {}", hive.name, problem.detail)];
    if let Some(reason) = &problem.reason {
        lines.extend(labelled("Why", reason));
    }
    match &problem.hint {
        Some(hint) => lines.extend(labelled("Next", &hive.reaching(hint))),
        None if problem.retryable => {
            lines.extend(labelled(
                "Next",
                &hive.command(&format!("job retry {short}")),
            ));
        }
        None => {}
    }
    lines.extend(others(&problem.suggestions));
    let retryable = if problem.retryable {
        "retryable"
    } else {
        "not retryable"
    };
    let kept = match job.partial_bytes_kept {
        0 if job.progress.files_done == 0 => "nothing downloaded".to_owned(),
        0 => format::count(u64::from(job.progress.files_done), "file") + " verified and kept",
        bytes => format!("{} kept", format::size(bytes)),
    };
    let code = code_of(problem);
    lines.extend(labelled(
        "Code",
        &format!("{code}, {retryable}, job {short}, {kept}"),
    ));
    lines
}

/// What a cancelled job leaves behind, and how to go on or to discard it.
pub(crate) fn cancelled(hive: &Hive, job: &Job) -> Vec<String> {
    let short = job.job_id.short();
    let retry = hive.command(&format!("job retry {short}"));
    // A job that never planned has looked at nothing: what an earlier one left is still there.
    let nothing = if job.plan.is_some() {
        "Nothing is kept"
    } else {
        "It had fetched nothing yet"
    };
    let mut lines = vec![
        kept(job).unwrap_or_else(|| nothing.to_owned()),
        format!("  Go on     {retry}"),
    ];
    if job.partial_bytes_kept > 0 {
        let discard = hive.command(&format!("job cancel {short} --discard-partial"));
        lines.push(format!("  Discard   {discard}"));
    }
    lines
}

/// `Kept 85.5 of 142.3 GB`: what a job that stopped before its end has for the next start.
pub(crate) fn kept(job: &Job) -> Option<String> {
    match (job.partial_bytes_kept, job.progress.files_done) {
        (0, 0) => None,
        (0, files) => Some(format!(
            "Kept {}, verified",
            format::count(files.into(), "file")
        )),
        (bytes, _) => Some(format!(
            "Kept {}",
            format::size_of_total(bytes, job.progress.bytes_total)
        )),
    }
}
