//! `keeper model download`: submit, follow, print where it is.

use futures_util::{StreamExt, future::join_all};
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
    let trackers = trackers(app).await?;
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
    let submissions: Vec<(&str, SubmitJob)> = submissions.collect();
    if arguments.detach {
        return Ok(detach(app, &trackers, &submissions).await);
    }
    let jobs = trackers.iter().flat_map(|tracker| {
        submissions.iter().map(|(model, submission)| Watched {
            tracker: tracker.clone(),
            what: format!("download {model}"),
            start: Start::Submit(Box::new(submission.clone())),
        })
    });
    let role = Role::Submitter {
        on_term: arguments.ending.on_term,
    };
    watch(app, role, jobs.collect()).await
}

/// The ways to the hives that are meant.
async fn trackers(app: &App) -> Result<Vec<Tracker>, Failure> {
    if !app.means_fleet() {
        let hive = app.hive().await?;
        if !hive.is_local {
            app.warn_of_differences(&[&hive]).await;
        }
        return Ok(vec![Tracker::new(app, &hive)]);
    }
    let members = app.fleet().await?;
    app.warn_of_differences_in(&members).await;
    let trackers = members.iter().map(|member| Tracker::of_member(app, member));
    Ok(trackers.collect())
}

/// Submits and leaves: stdout has the jobs' ids. No hive waits for another.
async fn detach(app: &App, trackers: &[Tracker], submissions: &[(&str, SubmitJob)]) -> Ending {
    let is_many = submissions.len() > 1;
    let on_each = trackers.iter().map(|tracker| async move {
        let mut codes = Vec::new();
        for (model, submission) in submissions {
            let what = if is_many {
                format!(": download {model}")
            } else {
                String::new()
            };
            codes.extend(submit(app, tracker, submission.clone(), &what).await);
        }
        codes
    });
    let codes = join_all(on_each).await;
    Ending::Code(exit_code::worst(codes.into_iter().flatten()))
}

/// Submits one, and gives the exit code where that did not succeed.
async fn submit(app: &App, tracker: &Tracker, job: SubmitJob, what: &str) -> Option<u8> {
    let hive = tracker.hive();
    let mut track = tracker.track(Start::Submit(Box::new(job)));
    while let Some(tracked) = track.next().await {
        match tracked {
            Tracked::Accepted(job) => {
                accepted(app, hive, &job, what);
                return None;
            }
            Tracked::Failed(failure) => {
                failure.tell_of(&app.printer, app.name_in_fleet(hive));
                return Some(failure.exit);
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
    None
}

fn accepted(app: &App, hive: &Hive, job: &Job, what: &str) {
    app.remember(hive, job.job_id);
    let short = job.job_id.short();
    app.printer
        .story(&format!("{}: job {short} accepted{what}", hive.name));
    let command = hive.command(&format!("job watch {short}"));
    app.printer.story(&format!("  Watch     {command}"));
    let name = app.name_in_fleet(hive);
    if app.printer.settings().is_json() {
        app.printer.json_of(name, job);
    } else {
        let id = job.job_id.to_string();
        let fields: Vec<&str> = name.into_iter().chain([id.as_str()]).collect();
        app.printer.fields(&fields);
    }
}
