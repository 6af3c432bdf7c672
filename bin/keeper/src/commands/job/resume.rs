//! `keeper job resume`: puts paused jobs back into the queue, and says how to watch them.

use hive_api::Job;

use super::{Done, act_on_each, may_act_on};
use crate::{
    app::App,
    args::OthersArguments,
    exit_code::{self, Ending},
    failure::Failure,
    hives::Hive,
};

pub(in crate::commands) async fn run(
    app: &App,
    names: &[String],
    others: OthersArguments,
) -> Result<Ending, Failure> {
    let jobs = app.find_jobs(names).await?;
    if !may_act_on(app, &jobs, others).await? {
        return Ok(Ending::DONE);
    }
    let resume = async |hive: &Hive, before: &Job| {
        let job = hive.client.resume(before.job_id).await?;
        Ok(Done {
            lines: lines(hive, &job).into(),
            exit: exit_code::DONE,
            job,
        })
    };
    Ok(act_on_each(app, &jobs, resume).await)
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
