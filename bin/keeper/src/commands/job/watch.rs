//! `keeper job watch`: follows a job and never cancels it.

use crate::{
    app::App,
    commands::what_of,
    exit_code::Ending,
    failure::Failure,
    job_reference,
    watch::{Role, Start, Watched, watch},
};

pub(in crate::commands) async fn run(app: &App, text: &str) -> Result<Ending, Failure> {
    let hive = app.hive_of_job(text).await?;
    let job = job_reference::resolve(app, &hive, text).await?;
    let watched = Watched {
        what: what_of(&job),
        start: Start::Existing(Box::new(job)),
    };
    watch(app, &hive, Role::Looker, vec![watched]).await
}
