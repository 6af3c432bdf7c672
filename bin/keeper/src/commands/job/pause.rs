//! `keeper job pause`: makes jobs give back their slots, and says what they keep and how they go on.

use std::time::Duration;

use hive_api::{Job, JobState, Open};

use super::{Done, act_on_each, may_act_on};
use crate::{
    app::App,
    args::OthersArguments,
    exit_code::{self, Ending},
    failure::Failure,
    hives::Hive,
    ui::screens,
};

/// How long the work of the job may take to its end.
const WAIT: Duration = Duration::from_secs(5);

pub(in crate::commands) async fn run(
    app: &App,
    names: &[String],
    others: OthersArguments,
) -> Result<Ending, Failure> {
    let jobs = app.find_jobs(names).await?;
    if !may_act_on(app, &jobs, others).await? {
        return Ok(Ending::DONE);
    }
    let pause = async |hive: &Hive, before: &Job| {
        let job = hive.client.pause(before.job_id, Some(WAIT)).await?;
        Ok(Done {
            lines: lines(hive, &job),
            exit: if is_paused(&job) {
                exit_code::DONE
            } else {
                exit_code::TRY_AGAIN
            },
            job,
        })
    };
    Ok(act_on_each(app, &jobs, pause).await)
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
