//! `keeper job watch`: follows jobs and never cancels them.

use super::trackers;
use crate::{
    app::App,
    commands::what_of,
    exit_code::Ending,
    failure::Failure,
    track::Start,
    watch::{Role, Watched, watch},
};

pub(in crate::commands) async fn run(app: &App, names: &[String]) -> Result<Ending, Failure> {
    let jobs = app.find_jobs(names).await?;
    let trackers = trackers(app, &jobs);
    let watched = jobs.into_iter().zip(trackers).map(|(at, tracker)| Watched {
        tracker,
        what: what_of(&at.job),
        start: Start::Existing(Box::new(at.job)),
    });
    watch(app, Role::Looker, watched.collect()).await
}
