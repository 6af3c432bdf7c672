//! `keeper job resume`: puts a paused job back into the queue, and says how to watch it.

use hive_api::Job;

use crate::{app::App, exit_code::Ending, failure::Failure, hives::Hive, job_reference, ui::Tone};

pub(in crate::commands) async fn run(app: &App, text: &str) -> Result<Ending, Failure> {
    let hive = app.hive_of_job(text).await?;
    let job = job_reference::resolve(app, &hive, text).await?;
    let job = hive.client.resume(job.job_id).await;
    let job = job.map_err(|error| Failure::of_client(&hive, &error))?;
    if app.printer.settings().is_json() {
        app.printer.json(&job);
    }
    for line in lines(&hive, &job) {
        app.printer.story_in(Tone::Plain, &line);
    }
    Ok(Ending::DONE)
}

fn lines(hive: &Hive, job: &Job) -> [String; 2] {
    let (short, state) = (job.job_id.short(), job.state.as_str());
    let place = job.queue_position.map(|place| format!(", place {place}"));
    let watch = hive.command(&format!("job watch {short}"));
    [
        format!(
            "Resumed {short} on {}: {state}{}",
            hive.name,
            place.unwrap_or_default()
        ),
        format!("  Watch     {watch}"),
    ]
}
