//! `keeper job pause`: makes a job give back its slot, and says what it keeps and how it goes on.

use std::time::Duration;

use hive_api::{Job, JobState, Open};

use crate::{
    app::App,
    exit_code::{self, Ending},
    failure::Failure,
    hives::Hive,
    job_reference,
    ui::{Tone, screens},
};

/// How long the work of the job may take to its end.
const WAIT: Duration = Duration::from_secs(5);

pub(in crate::commands) async fn run(app: &App, text: &str) -> Result<Ending, Failure> {
    let hive = app.hive_of_job(text).await?;
    let before = job_reference::resolve(app, &hive, text).await?;
    let job = hive.client.pause(before.job_id, Some(WAIT)).await;
    let job = job.map_err(|error| Failure::of_client(&hive, &error))?;
    if app.printer.settings().is_json() {
        app.printer.json(&job);
    }
    for line in lines(&hive, &job) {
        app.printer.story_in(Tone::Plain, &line);
    }
    Ok(if is_paused(&job) {
        Ending::DONE
    } else {
        Ending::Code(exit_code::TRY_AGAIN)
    })
}

fn lines(hive: &Hive, job: &Job) -> Vec<String> {
    let (short, name) = (job.job_id.short(), &hive.name);
    if !is_paused(job) {
        let watch = hive.command(&format!("job watch {short}"));
        return vec![
            format!(
                "Job {short} on {name} is not paused yet: {}",
                job.state.as_str()
            ),
            format!("  Watch     {watch}"),
        ];
    }
    let resume = hive.command(&format!("job resume {short}"));
    let mut lines = vec![format!(
        "Paused {short} on {name}: nothing of it runs, its slot is free"
    )];
    lines.extend(screens::kept(job));
    lines.push(format!("  Go on     {resume}"));
    lines
}

fn is_paused(job: &Job) -> bool {
    job.state == Open::Known(JobState::Paused)
}
