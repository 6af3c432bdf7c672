//! `keeper job show`: jobs as they are now.

use std::collections::BTreeMap;

use hive_api::{Job, JobResult, LimitedBy, Open, ProblemCode, RateLimit};

use crate::{
    app::App,
    commands::what_of,
    exit_code::Ending,
    failure::Failure,
    hives::Hive,
    job_reference::JobAt,
    ui::{
        format,
        screens::{self, labelled},
    },
};

pub(in crate::commands) async fn run(app: &App, names: &[String]) -> Result<Ending, Failure> {
    let jobs = app.find_jobs(names).await?;
    for (number, JobAt { hive, job }) in jobs.iter().enumerate() {
        if app.printer.settings().is_json() {
            app.printer.json_of(app.name_in_fleet(hive), job);
            continue;
        }
        if number > 0 {
            app.printer.data("");
        }
        let shared = shared_rate_limit(hive, job).await;
        for line in lines(hive, job, shared) {
            app.printer.data(&line);
        }
    }
    Ok(Ending::DONE)
}

/// The limit of all downloads of the hive, where it matters and the hive tells.
async fn shared_rate_limit(hive: &Hive, job: &Job) -> Option<RateLimit> {
    if job.progress.limited_by != Some(Open::Known(LimitedBy::RateLimit)) {
        return None;
    }
    let info = hive.client.hive().await.ok()?;
    Some(RateLimit::new(info.limit_bytes_per_second))
}

fn lines(hive: &Hive, job: &Job, shared: Option<RateLimit>) -> Vec<String> {
    let mut lines = vec![format!("{}: {}", job.job_id.short(), what_of(job))];
    let mut add = |label: &str, text: &str| lines.extend(labelled(label, text));
    add("Id", &job.job_id.to_string());
    if !hive.is_local {
        add("Hive", &hive.name);
    }
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
    let limit = RateLimit::new(job.limit_bytes_per_second);
    if limit.bytes_per_second().is_some() {
        add("Limit", &limit.to_string());
    }
    if let Some(limited_by) = &job.progress.limited_by {
        let what = words_of(limited_by, limit, shared);
        add("Speed", &format!("held back by {what}"));
    }
    if !job.progress.retries.is_empty() {
        add("Tried", &retries(&job.progress.retries));
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

/// What holds a job back, whose own limit is `own`; the limit that it shares with others may not be known.
fn words_of(limited_by: &Open<LimitedBy>, own: RateLimit, shared: Option<RateLimit>) -> String {
    match limited_by {
        Open::Known(LimitedBy::Hub) => "the Hub, which answers slowly".to_owned(),
        Open::Known(LimitedBy::Connection) => "the line to the Hub".to_owned(),
        Open::Known(LimitedBy::RateLimit) => match shared {
            Some(shared) => rate_limit(own, shared),
            None => "a rate limit".to_owned(),
        },
        Open::Known(LimitedBy::Disk) => "the store's disk".to_owned(),
        Open::Known(LimitedBy::Hashing) => "computing hashes".to_owned(),
        Open::Unknown(other) => other.replace('_', " "),
    }
}

/// Which of two limits it is: the smaller, but a larger one that is shared may leave less than it.
fn rate_limit(own: RateLimit, shared: RateLimit) -> String {
    match (own.bytes_per_second(), shared.bytes_per_second()) {
        (Some(_), None) => format!("the rate limit of {own}"),
        (Some(bytes), Some(all)) if bytes < all => {
            format!("the rate limit of {own}, or the hive's of {shared} for all downloads")
        }
        (_, Some(_)) => format!("the hive's rate limit of {shared} for all downloads"),
        (None, None) => "a rate limit".to_owned(),
    }
}

/// `again 3 times: stalled 2, error from the Hub 1`.
fn retries(by_code: &BTreeMap<String, u32>) -> String {
    let total: u64 = by_code.values().copied().map(u64::from).sum();
    let parts: Vec<String> = by_code
        .iter()
        .map(|(code, count)| format!("{} {count}", words_of_code(code)))
        .collect();
    format!(
        "again {}: {}",
        format::count(total, "time"),
        parts.join(", ")
    )
}

/// The code's title inside a sentence.
fn words_of_code(code: &str) -> String {
    let known = ProblemCode::ALL.iter().find(|known| known.as_str() == code);
    let title = known.map_or_else(|| code.replace('_', " "), |known| known.title().to_owned());
    let mut letters = title.chars();
    let first = letters.next().into_iter().flat_map(char::to_lowercase);
    first.chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_a_job_back_is_said_in_words() {
        let (none, small, large) = (
            RateLimit::default(),
            RateLimit::new(Some(20_000_000)),
            RateLimit::new(Some(50_000_000)),
        );
        let words = |own, shared| words_of(&LimitedBy::RateLimit.into(), own, shared);
        assert_eq!(words(small, Some(none)), "the rate limit of 20 MB/s");
        assert_eq!(
            words(large, Some(small)),
            "the hive's rate limit of 20 MB/s for all downloads"
        );
        assert_eq!(
            words(none, Some(small)),
            "the hive's rate limit of 20 MB/s for all downloads"
        );
        assert_eq!(
            words(small, Some(large)),
            "the rate limit of 20 MB/s, or the hive's of 50 MB/s for all downloads"
        );
        assert_eq!(words(small, None), "a rate limit");
        let newer = Open::Unknown("cosmic_rays".to_owned());
        assert_eq!(words_of(&newer, none, None), "cosmic rays");
    }

    #[test]
    fn retries_are_counted_in_words() {
        let by_code = [("stalled", 2), ("upstream_http", 1), ("cosmic_ray", 4)];
        let by_code = by_code.map(|(code, count)| (code.to_owned(), count)).into();
        assert_eq!(
            retries(&by_code),
            "again 7 times: cosmic ray 4, stalled 2, error from the Hub 1"
        );
    }
}
