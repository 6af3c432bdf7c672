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
    ui::Tone,
};

/// What a job became of, in lines for a person, with the exit code.
struct Done {
    job: Job,
    lines: Vec<String>,
    exit: u8,
}

/// Whether to go on although another submitted some of the jobs: a person is asked, a script has to say so beforehand.
async fn may_act_on(
    app: &App,
    hive: &Hive,
    jobs: &[Job],
    others: OthersArguments,
) -> Result<bool, Failure> {
    if others.force {
        return Ok(true);
    }
    let me = hive.client.hive().await;
    let me = me.map_err(|error| Failure::of_client(hive, &error))?.caller;
    let Some(question) = question(hive, &me.name, jobs) else {
        return Ok(true);
    };
    let goes_on = confirm(app, &question, "--force").await?;
    if !goes_on {
        app.printer.story("Nothing was changed");
    }
    Ok(goes_on)
}

/// What to ask whoever is called `me`; nothing where the jobs are their own, or have ended.
fn question(hive: &Hive, me: &str, jobs: &[Job]) -> Option<String> {
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
    (!others.is_empty()).then(|| format!("On {name}, {}; go on?", others.join(", ")))
}

/// Asks the hive for the same of every job at once, and tells what became of each in the order of the jobs.
async fn act_on_each(
    app: &App,
    hive: &Hive,
    jobs: &[Job],
    act: impl AsyncFn(&Job) -> Result<Done, ClientError>,
) -> Ending {
    let mut codes = Vec::with_capacity(jobs.len());
    let acted = stream::iter(jobs).map(|job| act(job));
    let mut acted = std::pin::pin!(acted.buffered(jobs.len().max(1)));
    while let Some(done) = acted.next().await {
        match done {
            Ok(done) => {
                if app.printer.settings().is_json() {
                    app.printer.json(&done.job);
                }
                for line in &done.lines {
                    app.printer.story_in(Tone::Plain, line);
                }
                codes.push(done.exit);
            }
            Err(error) => {
                let failure = Failure::of_client(hive, &error);
                failure.tell(&app.printer);
                codes.push(failure.exit);
            }
        }
    }
    Ending::Code(exit_code::worst(codes))
}
