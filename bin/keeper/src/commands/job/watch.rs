//! `keeper job watch`: follows jobs and never cancels them.

use crate::{
    app::App,
    commands::what_of,
    exit_code::Ending,
    failure::Failure,
    job_reference,
    track::{Start, Tracker},
    watch::{Role, Watched, watch},
};

pub(in crate::commands) async fn run(app: &App, names: &[String]) -> Result<Ending, Failure> {
    let hive = app.hive_of_jobs(names).await?;
    let jobs = job_reference::resolve_all(app, &hive, names).await?;
    let tracker = Tracker::new(app, &hive);
    let watched = jobs.into_iter().map(|job| Watched {
        tracker: tracker.clone(),
        what: what_of(&job),
        start: Start::Existing(Box::new(job)),
    });
    watch(app, Role::Looker, watched.collect()).await
}
