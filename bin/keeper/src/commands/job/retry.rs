//! `keeper job retry`: submits a job's operation anew and follows it; what is kept of it is used.

use hive_api::{Open, SubmitJob};

use crate::{
    app::App,
    args::EndingArguments,
    commands::what_of,
    exit_code::{self, Ending},
    failure::Failure,
    job_reference,
    watch::{Role, Start, Watched, watch},
};

pub(in crate::commands) async fn run(
    app: &App,
    text: &str,
    ending: EndingArguments,
) -> Result<Ending, Failure> {
    let hive = app.hive_of_job(text).await?;
    let job = job_reference::resolve(app, &hive, text).await?;
    let short = job.job_id.short();
    if !job.state.has_ended() {
        return Err(Failure::new(
            exit_code::REFUSED,
            "wrong_state",
            format!("job {short} has not ended"),
            hive.command(&format!("job watch {short}")),
        ));
    }
    let what = what_of(&job);
    let Open::Known(operation) = job.operation else {
        return Err(Failure::usage(
            format!("this keeper does not know the operation of job {short}"),
            "update keeper to the version of the hive",
        ));
    };
    let submission = SubmitJob {
        operation,
        priority: job.priority.known().copied().unwrap_or_default(),
        limit_bytes_per_second: job.limit_bytes_per_second,
    };
    let watched = Watched {
        what,
        start: Start::Submit(Box::new(submission)),
    };
    let role = Role::Submitter {
        on_term: ending.on_term,
    };
    watch(app, &hive, role, vec![watched]).await
}
