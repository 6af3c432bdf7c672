//! Jobs: look at them, watch them, stop them.

pub(super) mod cancel;
pub(super) mod limit;
pub(super) mod list;
pub(super) mod logs;
pub(super) mod pause;
pub(super) mod resume;
pub(super) mod retry;
pub(super) mod show;
pub(super) mod watch;

use futures_util::{StreamExt, stream};
use hive_api::Job;
use hive_client::ClientError;

use crate::{
    app::App,
    args::OthersArguments,
    commands::confirm,
    exit_code::{self, Ending},
    failure::Failure,
    hives::Hive,
    job_reference::JobAt,
    track::Tracker,
    ui::{Tone, screens::capitalised},
};

/// What a job became of, in lines for a person, with the exit code.
struct Done {
    job: Job,
    lines: Vec<String>,
    exit: u8,
}

/// Whether to go on although another submitted some of the jobs: a person is asked, a script has to say so beforehand.
async fn may_act_on(app: &App, jobs: &[JobAt], others: OthersArguments) -> Result<bool, Failure> {
    if others.force {
        return Ok(true);
    }
    let mut of_others = Vec::new();
    for (hive, jobs) in by_hive(jobs) {
        let me = hive.client.hive().await;
        let me = me.map_err(|error| Failure::of_client(hive, &error))?.caller;
        of_others.extend(jobs_of_others(hive, &me.name, &jobs));
    }
    if of_others.is_empty() {
        return Ok(true);
    }
    let question = format!("{}; go on?", capitalised(&of_others.join("; ")));
    let goes_on = confirm(app, &question, "--force").await?;
    if !goes_on {
        app.printer.story("Nothing was changed");
    }
    Ok(goes_on)
}

/// The jobs hive by hive, in the order in which they were named.
fn by_hive(jobs: &[JobAt]) -> Vec<(&Hive, Vec<&Job>)> {
    let mut groups: Vec<(&Hive, Vec<&Job>)> = Vec::new();
    for JobAt { hive, job } in jobs {
        match groups.iter_mut().find(|(other, _)| other.name == hive.name) {
            Some((_, group)) => group.push(job),
            None => groups.push((hive, vec![job])),
        }
    }
    groups
}

/// What to tell whoever is called `me` before; nothing where the jobs are their own, or have ended.
fn jobs_of_others(hive: &Hive, me: &str, jobs: &[&Job]) -> Option<String> {
    let others: Vec<String> = jobs
        .iter()
        .filter(|job| job.submitted_by != me && !job.state.has_ended())
        .map(|job| {
            format!(
                "{} was submitted by {}",
                job.job_id.short(),
                job.submitted_by
            )
        })
        .collect();
    let name = &hive.name;
    (!others.is_empty()).then(|| format!("on {name}, {}", others.join(", ")))
}

/// The way to follow each of these jobs, the same for all of a hive.
fn trackers(app: &App, jobs: &[JobAt]) -> Vec<Tracker> {
    let mut trackers: Vec<Tracker> = Vec::with_capacity(jobs.len());
    for JobAt { hive, .. } in jobs {
        let known = trackers
            .iter()
            .find(|tracker| tracker.hive().name == hive.name);
        let tracker = known.cloned();
        trackers.push(tracker.unwrap_or_else(|| Tracker::new(app, hive)));
    }
    trackers
}

/// Asks for the same of every job at once, and tells what became of each in the order of the jobs.
async fn act_on_each(
    app: &App,
    jobs: &[JobAt],
    act: impl AsyncFn(&Hive, &Job) -> Result<Done, ClientError>,
) -> Ending {
    let mut codes = Vec::with_capacity(jobs.len());
    let act = &act;
    let acted =
        stream::iter(jobs).map(async |JobAt { hive, job }: &JobAt| (hive, act(hive, job).await));
    let mut acted = std::pin::pin!(acted.buffered(jobs.len().max(1)));
    while let Some((hive, done)) = acted.next().await {
        let name = app.name_in_fleet(hive);
        match done {
            Ok(done) => {
                if app.printer.settings().is_json() {
                    app.printer.json_of(name, &done.job);
                }
                for line in &done.lines {
                    app.printer.story_in(Tone::Plain, line);
                }
                codes.push(done.exit);
            }
            Err(error) => {
                let failure = Failure::of_client(hive, &error);
                failure.tell_of(&app.printer, name);
                codes.push(failure.exit);
            }
        }
    }
    Ending::Code(exit_code::worst(codes))
}
