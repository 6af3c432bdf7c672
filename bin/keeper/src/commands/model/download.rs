//! `keeper model download`: submit, follow, print where it is.

use futures_util::StreamExt;
use hive_api::{Job, Operation, Priority, RateLimit, SubmitJob};

use super::operation;
use crate::{
    app::App,
    args::DownloadArguments,
    exit_code::{self, Ending},
    failure::Failure,
    hives::Hive,
    track::{Start, Tracked, Tracker},
    ui::{Tone, screens},
    watch::{Role, Watched, watch},
};

pub(in crate::commands) async fn run(
    app: &App,
    arguments: &DownloadArguments,
) -> Result<Ending, Failure> {
    let hive = app.hive().await?;
    let submissions = arguments.models.iter().map(|model| {
        let submission = SubmitJob {
            operation: Operation::ModelDownload(operation(
                model,
                &arguments.selection,
                arguments.force_download,
            )),
            priority: Priority::from(arguments.priority),
            limit_bytes_per_second: arguments.limit_rate.and_then(RateLimit::bytes_per_second),
        };
        (model.as_str(), submission)
    });
    if arguments.detach {
        let submissions = submissions.collect();
        return Ok(detach(app, &hive, submissions).await);
    }
    let jobs = submissions.map(|(model, submission)| Watched {
        what: format!("download {model}"),
        start: Start::Submit(Box::new(submission)),
    });
    let role = Role::Submitter {
        on_term: arguments.ending.on_term,
    };
    watch(app, &hive, role, jobs.collect()).await
}

/// Submits and leaves: stdout has the jobs' ids.
async fn detach(app: &App, hive: &Hive, submissions: Vec<(&str, SubmitJob)>) -> Ending {
    let mut codes = Vec::new();
    let is_many = submissions.len() > 1;
    let tracker = Tracker::new(app, hive);
    for (model, submission) in submissions {
        let mut track = tracker.track(Start::Submit(Box::new(submission)));
        while let Some(tracked) = track.next().await {
            match tracked {
                Tracked::Accepted(job) => {
                    let what = if is_many {
                        format!(": download {model}")
                    } else {
                        String::new()
                    };
                    accepted(app, hive, &job, &what);
                    break;
                }
                Tracked::Failed(failure) => {
                    failure.tell(&app.printer);
                    codes.push(failure.exit);
                }
                Tracked::HiveStartedAgain(times) => {
                    let line = format!("{}: {}", hive.name, screens::started_again(times));
                    app.printer.story_in(Tone::Warning, &line);
                }
                // What comes of a job after it was accepted is not waited for.
                Tracked::HiveStopped
                | Tracked::HiveDied
                | Tracked::Event { .. }
                | Tracked::Lost { .. }
                | Tracked::Reconnected(_) => {}
            }
        }
    }
    Ending::Code(exit_code::worst(codes))
}

fn accepted(app: &App, hive: &Hive, job: &Job, what: &str) {
    app.remember(hive, job.job_id);
    let short = job.job_id.short();
    app.printer
        .story(&format!("{}: job {short} accepted{what}", hive.name));
    let command = hive.command(&format!("job watch {short}"));
    app.printer.story(&format!("  Watch     {command}"));
    if app.printer.settings().is_json() {
        app.printer.json(job);
    } else {
        app.printer.data(&job.job_id.to_string());
    }
}
