//! `keeper job retry`: submits the operations of jobs anew and follows them; what is kept of them is used.

use hive_api::{Job, Open, SubmitJob};

use super::{by_hive, trackers};
use crate::{
    app::App,
    args::EndingArguments,
    commands::what_of,
    exit_code::{self, Ending},
    failure::Failure,
    hives::Hive,
    track::Start,
    watch::{Role, Watched, watch},
};

pub(in crate::commands) async fn run(
    app: &App,
    names: &[String],
    ending: EndingArguments,
) -> Result<Ending, Failure> {
    let jobs = app.find_jobs(names).await?;
    let remote = by_hive(&jobs).into_iter().map(|(hive, _)| hive);
    let remote: Vec<&Hive> = remote.filter(|hive| !hive.is_local).collect();
    app.warn_of_differences(&remote).await;
    let trackers = trackers(app, &jobs);
    let again = jobs.into_iter().zip(trackers).map(|(at, tracker)| {
        Ok(Watched {
            tracker,
            what: what_of(&at.job),
            start: Start::Submit(Box::new(submission(&at.hive, at.job)?)),
        })
    });
    let again = again.collect::<Result<_, Failure>>()?;
    let role = Role::Submitter {
        on_term: ending.on_term,
    };
    watch(app, role, again).await
}

/// What the job was asked to do, to be asked for again.
fn submission(hive: &Hive, job: Job) -> Result<SubmitJob, Failure> {
    let short = job.job_id.short();
    if !job.state.has_ended() {
        return Err(Failure::new(
            exit_code::REFUSED,
            "wrong_state",
            format!("job {short} has not ended"),
            hive.command(&format!("job watch {short}")),
        ));
    }
    let Open::Known(operation) = job.operation else {
        return Err(Failure::usage(
            format!("this keeper does not know the operation of job {short}"),
            "update keeper to the version of the hive",
        ));
    };
    Ok(SubmitJob {
        operation,
        priority: job.priority.known().copied().unwrap_or_default(),
        limit_bytes_per_second: job.limit_bytes_per_second,
    })
}
