//! `keeper job list`: newest first, without what ended long ago.

use hive_api::{Job, JobList, JobState, Open, Phase, Priority, Problem};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::{
    app::App,
    args::JobListArguments,
    commands::what_of,
    exit_code::Ending,
    failure::Failure,
    fleet::{self, Answer, worst_silence},
    hives::Hive,
    ui::{OfHive, format, table::Table},
};

/// How long an ended job is listed without being asked for.
const RECENT: SignedDuration = SignedDuration::from_hours(24);
/// The column that gives way on a narrow terminal.
const WHAT: usize = 1;

pub(in crate::commands) async fn run(
    app: &App,
    arguments: JobListArguments,
) -> Result<Ending, Failure> {
    if app.means_fleet() {
        return of_fleet(app, &arguments).await;
    }
    let hive = app.hive().await?;
    let state = arguments.state.as_deref();
    let jobs = hive.client.all_jobs(state).await;
    let mut jobs = jobs.map_err(|error| Failure::of_client(&hive, &error))?;
    let all = jobs.len();
    let now = Timestamp::now();
    jobs.retain(|job| arguments.all || is_recent(job, now));
    if app.printer.settings().is_json() {
        app.printer.json(&JobList {
            jobs,
            next_cursor: None,
        });
        return Ok(Ending::DONE);
    }
    if !jobs.is_empty() {
        let rows = jobs.iter().map(|job| (None, job));
        app.printer.table(table(rows, false), WHAT);
    }
    if let Some(line) = words_after(&hive, all, jobs.len(), state) {
        app.printer.story(&line);
    }
    Ok(Ending::DONE)
}

/// The jobs of several hives, newest first, and which of them did not answer.
async fn of_fleet(app: &App, arguments: &JobListArguments) -> Result<Ending, Failure> {
    let state = arguments.state.as_deref();
    let answers = app
        .ask_each(async |hive| hive.client.all_jobs(state).await)
        .await?;
    let now = Timestamp::now();
    let answered = answers.iter().filter_map(|each| {
        let jobs = each.answer.as_ref().ok()?;
        Some(jobs.iter().map(|job| (each.hive.name.as_str(), job)))
    });
    let mut jobs: Vec<(&str, &Job)> = answered.flatten().collect();
    let all = jobs.len();
    jobs.retain(|(_, job)| arguments.all || is_recent(job, now));
    jobs.sort_by_key(|(_, job)| std::cmp::Reverse(job.created_at));
    if app.printer.settings().is_json() {
        app.printer.json(&JobsOfFleet::new(&jobs, &answers));
        return Ok(Ending::Code(worst_silence(&answers)));
    }
    if !jobs.is_empty() {
        let rows = jobs.iter().map(|(hive, job)| (Some(*hive), *job));
        app.printer.table(table(rows, true), WHAT + 1);
    }
    if all == 0 && answers.iter().any(|each| each.answer.is_ok()) {
        app.printer.story("No jobs on the hives that answered");
    }
    let code = app.tell_silent(&answers);
    if jobs.len() < all {
        let list = "add --all to this command";
        app.printer
            .story(&format!("Finished more than 24 h ago: {list}"));
    }
    Ok(Ending::Code(code))
}

/// What a program is told of several hives.
#[derive(Serialize)]
struct JobsOfFleet<'a> {
    jobs: Vec<OfHive<'a, Job>>,
    next_cursor: Option<String>,
    /// The hives that did not answer, with their problems.
    unanswered: Vec<OfHive<'a, Problem>>,
}

impl<'a> JobsOfFleet<'a> {
    fn new(jobs: &[(&'a str, &'a Job)], answers: &'a [Answer<Vec<Job>>]) -> Self {
        let of_hive = |(hive, value): &(&'a str, &'a Job)| OfHive {
            hive: Some(hive),
            value: *value,
        };
        Self {
            jobs: jobs.iter().map(of_hive).collect(),
            next_cursor: None,
            unanswered: fleet::unanswered(answers),
        }
    }
}

/// What the table does not say: that there is nothing, or that there is more.
fn words_after(hive: &Hive, all: usize, shown: usize, state: Option<&str>) -> Option<String> {
    let name = &hive.name;
    match (all, state) {
        (0, None) => {
            let download = hive.command("model download");
            Some(format!("No jobs on {name}; {download} starts one"))
        }
        (0, Some(state)) => Some(format!("No job on {name} is {state}")),
        _ if shown < all => {
            let state = state.map(|state| format!(" --state {state}"));
            let list = format!("job list --all{}", state.unwrap_or_default());
            let list = hive.command(&list);
            Some(format!("Finished more than 24 h ago: {list}"))
        }
        _ => None,
    }
}

fn is_recent(job: &Job, now: Timestamp) -> bool {
    job.finished_at
        .is_none_or(|at| now.duration_since(at) <= RECENT)
}

fn table<'a>(jobs: impl Iterator<Item = (Option<&'a str>, &'a Job)>, is_fleet: bool) -> Table {
    const HEADINGS: [&str; 7] = ["Job", "Hive", "What", "State", ">Done", ">Rate", "By"];
    let headings = HEADINGS.into_iter();
    let headings: Vec<&str> = headings
        .filter(|name| is_fleet || *name != "Hive")
        .collect();
    let mut table = Table::new(&headings);
    for (hive, job) in jobs {
        let hive = hive.map(str::to_owned);
        let cells = std::iter::once(job.job_id.short()).chain(hive).chain([
            what_of(job),
            state(job),
            done(job),
            rate(job),
            job.submitted_by.clone(),
        ]);
        table.row(cells.collect());
    }
    table
}

/// `queued 1, high`: the state, the place in the queue, and a priority that is not everybody's while it matters.
fn state(job: &Job) -> String {
    let is_without_network = job.phase == Some(Open::Known(Phase::WaitingForNetwork));
    let state = match (&job.state, job.queue_position) {
        (Open::Known(JobState::Queued), Some(place)) => format!("queued {place}"),
        (Open::Known(JobState::Running), _) if is_without_network => "no network".to_owned(),
        (state, _) => state.as_str().to_owned(),
    };
    let priority = match &job.priority {
        Open::Known(Priority::Normal) => None,
        Open::Known(Priority::Low) => Some("low"),
        Open::Known(Priority::High) => Some("high"),
        Open::Unknown(priority) => Some(priority.as_str()),
    };
    match priority.filter(|_| !job.state.has_ended()) {
        Some(priority) => format!("{state}, {priority}"),
        None => state,
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
        queued.priority = Priority::High.into();
        let mut running = job(JobId::new(Uuid::from_u128(0x9f_3c41)));
        running.progress.bytes_total = Some(1_000_000);
        running.progress.bytes_done = 600_000;
        running.progress.bytes_per_second = 61_000_000;
        assert_eq!(
            table([(None, &running), (None, &queued)].into_iter(), false).lines(),
            [
                "Job     What                           State           Done     Rate  By",
                "9f3c41  download Qwen3-8B-GGUF:Q4_K_M  running         60 %  61 MB/s  local",
                "c07d15  download Qwen3-8B-GGUF:Q4_K_M  queued 1, high     -        -  local",
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
