//! `keeper job show`: one job as it is now.

use hive_api::{Job, JobResult, LimitedBy, Open};

use crate::{
    app::App,
    commands::what_of,
    exit_code::Ending,
    failure::Failure,
    hives::Hive,
    job_reference,
    ui::{
        format,
        screens::{self, labelled},
    },
};

pub(in crate::commands) async fn run(app: &App, text: &str) -> Result<Ending, Failure> {
    let hive = app.hive_of_job(text).await?;
    let job = job_reference::resolve(app, &hive, text).await?;
    if app.printer.settings().is_json() {
        app.printer.json(&job);
    } else {
        for line in lines(&hive, &job) {
            app.printer.data(&line);
        }
    }
    Ok(Ending::DONE)
}

fn lines(hive: &Hive, job: &Job) -> Vec<String> {
    let mut lines = vec![format!("{}: {}", job.job_id.short(), what_of(job))];
    let mut add = |label: &str, text: &str| lines.extend(labelled(label, text));
    add("Id", &job.job_id.to_string());
    add("State", &state(job));
    add("By", &format!("{}, {}", job.submitted_by, job.created_at));
    if let Some(started) = job.started_at {
        add("Began", &started.to_string());
    }
    if let Some(finished) = job.finished_at {
        add("Ended", &finished.to_string());
    }
    if job.progress.files_total > 0 {
        add("Done", &progress(job));
    }
    if let Some(limited_by) = &job.progress.limited_by {
        add("Limit", words_of(limited_by));
    }
    if job.partial_bytes_kept > 0 {
        add("Kept", &format::size(job.partial_bytes_kept));
    }
    if let Some(Open::Known(JobResult::ModelDownload(model))) = &job.result {
        add("Path", &model.path);
    }
    if let Some(plan) = &job.plan {
        lines.extend(screens::planned(plan));
    }
    if job.error.is_some() {
        lines.extend(screens::failed(hive, job));
    }
    lines
}

fn state(job: &Job) -> String {
    let phase = match &job.phase {
        Some(Open::Known(phase)) => Some(phase.as_str()),
        Some(Open::Unknown(phase)) => Some(phase.as_str()),
        None => None,
    };
    match phase.filter(|_| !job.state.has_ended()) {
        Some(phase) => format!("{}, {phase}", job.state.as_str()),
        None => job.state.as_str().to_owned(),
    }
}

fn progress(job: &Job) -> String {
    let progress = &job.progress;
    let size = format::size_of_total(progress.bytes_done, progress.bytes_total);
    let (done, total) = (progress.files_done, progress.files_total);
    format!(
        "{size}, {done} of {total} files, {}",
        format::rate(progress.bytes_per_second)
    )
}

fn words_of(limited_by: &Open<LimitedBy>) -> &str {
    match limited_by {
        Open::Known(LimitedBy::Hub) => "the Hub, which answers slowly",
        Open::Known(LimitedBy::Connection) => "the line to the Hub",
        Open::Known(LimitedBy::RateLimit) => "the rate limit",
        Open::Known(LimitedBy::Disk) => "the store's disk",
        Open::Known(LimitedBy::Hashing) => "computing hashes",
        Open::Unknown(other) => other,
    }
}
