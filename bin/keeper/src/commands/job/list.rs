//! `keeper job list`: newest first, without what ended long ago.

use hive_api::{Job, JobState, Open};
use hive_client::JobFilter;
use jiff::{SignedDuration, Timestamp};

use crate::{
    app::App,
    args::JobListArguments,
    commands::what_of,
    exit_code::Ending,
    failure::Failure,
    ui::{format, table::Table},
};

/// How long an ended job is listed without being asked for.
const RECENT: SignedDuration = SignedDuration::from_hours(24);
/// Jobs that are asked for.
const LIMIT: u32 = 1_000;

pub(in crate::commands) async fn run(
    app: &App,
    arguments: JobListArguments,
) -> Result<Ending, Failure> {
    let hive = app.hive().await?;
    let filter = JobFilter {
        limit: Some(LIMIT),
        ..JobFilter::default()
    };
    let listed = hive.client.jobs(&filter).await;
    let mut listed = listed.map_err(|error| Failure::of_client(&hive, &error))?;
    let all = listed.jobs.len();
    let now = Timestamp::now();
    listed
        .jobs
        .retain(|job| arguments.all || is_recent(job, now));
    if app.printer.settings().is_json() {
        app.printer.json(&listed);
        return Ok(Ending::DONE);
    }
    if all == 0 {
        let download = hive.command("model download");
        let line = format!("No jobs on {}; {download} starts one", hive.name);
        app.printer.story(&line);
    }
    if !listed.jobs.is_empty() {
        for line in table(&listed.jobs).lines() {
            app.printer.data(&line);
        }
    }
    if listed.jobs.len() < all {
        let command = hive.command("job list --all");
        app.printer
            .story(&format!("Finished more than 24 h ago: {command}"));
    }
    Ok(Ending::DONE)
}

fn is_recent(job: &Job, now: Timestamp) -> bool {
    job.finished_at
        .is_none_or(|at| now.duration_since(at) <= RECENT)
}

fn table(jobs: &[Job]) -> Table {
    let mut table = Table::new(&["Job", "What", "State", ">Done", ">Rate", "By"]);
    for job in jobs {
        table.row(vec![
            job.job_id.short(),
            what_of(job),
            state(job),
            done(job),
            rate(job),
            job.submitted_by.clone(),
        ]);
    }
    table
}

fn state(job: &Job) -> String {
    match (&job.state, job.queue_position) {
        (Open::Known(JobState::Queued), Some(place)) => format!("queued {place}"),
        (state, _) => state.as_str().to_owned(),
    }
}

fn done(job: &Job) -> String {
    match job.progress.bytes_total {
        Some(total) => format::rough_percent(job.progress.bytes_done, total),
        None => "-".to_owned(),
    }
}

fn rate(job: &Job) -> String {
    let is_running = job.state == Open::Known(JobState::Running);
    match job.progress.bytes_per_second {
        rate if is_running && rate > 0 => format::rate(rate),
        _ => "-".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use hive_api::JobId;
    use uuid::Uuid;

    use super::*;
    use crate::commands::tests::job;

    #[test]
    fn a_queued_job_shows_its_place_and_a_running_one_its_rate() {
        let mut queued = job(JobId::new(Uuid::from_u128(0xc0_7d15)));
        queued.state = JobState::Queued.into();
        queued.queue_position = Some(1);
        let mut running = job(JobId::new(Uuid::from_u128(0x9f_3c41)));
        running.progress.bytes_total = Some(1_000_000);
        running.progress.bytes_done = 600_000;
        running.progress.bytes_per_second = 61_000_000;
        assert_eq!(
            table(&[running, queued]).lines(),
            [
                "Job     What                           State     Done     Rate  By",
                "9f3c41  download Qwen3-8B-GGUF:Q4_K_M  running   60 %  61 MB/s  local",
                "c07d15  download Qwen3-8B-GGUF:Q4_K_M  queued 1     -        -  local",
            ]
        );
    }

    #[test]
    fn what_ended_long_ago_is_left_out() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let mut ended = job(JobId::new(Uuid::from_u128(1)));
        assert!(is_recent(&ended, now));
        ended.finished_at = Some(now - SignedDuration::from_hours(23));
        assert!(is_recent(&ended, now));
        ended.finished_at = Some(now - SignedDuration::from_hours(25));
        assert!(!is_recent(&ended, now));
    }
}
