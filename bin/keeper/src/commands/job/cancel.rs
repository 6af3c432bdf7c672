//! `keeper job cancel`: stops jobs, and says whether that came in time.

use std::time::Duration;

use hive_api::{Job, JobState, Open, Phase};
use hive_client::CancelJob;
use tokio::time::Instant;

use super::{Done, act_on_each, may_act_on};
use crate::{
    app::App,
    args::OthersArguments,
    exit_code::{self, Ending},
    failure::Failure,
    hives::Hive,
    ui::{format, screens},
};

/// How long the job may take to its end.
const WAIT: Duration = Duration::from_secs(5);

pub(in crate::commands) async fn run(
    app: &App,
    names: &[String],
    discard_partial: bool,
    others: OthersArguments,
) -> Result<Ending, Failure> {
    let jobs = app.find_jobs(names).await?;
    if !may_act_on(app, &jobs, others).await? {
        return Ok(Ending::DONE);
    }
    let how = CancelJob {
        wait: Some(WAIT),
        discard_partial,
    };
    let cancel = async |hive: &Hive, before: &Job| {
        let began = Instant::now();
        let job = hive.client.cancel(before.job_id, how).await?;
        let had_ended = before.state.has_ended();
        Ok(Done {
            lines: lines(hive, &job, had_ended, began.elapsed()),
            exit: if job.state.has_ended() {
                exit_code::DONE
            } else {
                exit_code::TRY_AGAIN
            },
            job,
        })
    };
    Ok(act_on_each(app, &jobs, cancel).await)
}

fn lines(hive: &Hive, job: &Job, had_ended: bool, took: Duration) -> Vec<String> {
    let (short, name) = (job.job_id.short(), &hive.name);
    let is_publishing = job.phase == Some(Open::Known(Phase::Publishing));
    let state = match &job.state {
        Open::Known(state) => *state,
        Open::Unknown(state) => {
            return vec![format!("Job {short} on {name} is {state}")];
        }
    };
    match state {
        JobState::Cancelled if !had_ended => {
            let time = format::duration(took);
            let mut lines = vec![format!(
                "Cancelled {short} on {name} in {time}: connections closed, nothing of it runs any more"
            )];
            lines.extend(screens::cancelled(hive, job));
            lines
        }
        JobState::Succeeded if !had_ended => {
            let on = hive.on();
            vec![format!(
                "Too late to cancel{on}: every file was already published"
            )]
        }
        JobState::Succeeded | JobState::Failed | JobState::Cancelled => {
            vec![format!(
                "Job {short} on {name} had ended before: {}",
                state.as_str()
            )]
        }
        JobState::Running if is_publishing => {
            vec![format!(
                "Too late to cancel{}: {short} is being published and ends by itself",
                hive.on()
            )]
        }
        JobState::Queued
        | JobState::Running
        | JobState::Pausing
        | JobState::Paused
        | JobState::Cancelling => vec![
            format!(
                "Job {short} on {name} has not ended yet: {}",
                state.as_str()
            ),
            format!(
                "  Watch     {}",
                hive.command(&format!("job watch {short}"))
            ),
        ],
    }
}
