//! `GET /v1/jobs/{id}`: the job now, or as soon as something happened to it.

use std::sync::Arc;

use axum::{Json, extract::State};
use hive_api::Job;
use http::Uri;

use super::{InPath, no_such_job, take_wait, wait_for};
use crate::http::{app::App, problems::Refusal, query::Query};

pub(super) async fn get(
    State(app): State<Arc<App>>,
    InPath(id): InPath,
    uri: Uri,
) -> Result<Json<Job>, Refusal> {
    let mut query = Query::of(&uri)?;
    let wait = take_wait(&mut query)?;
    let after = query.take("after", "the number of an event")?;
    query.finish()?;
    let job = app.registry.get(id).await?.ok_or_else(no_such_job)?;
    let Some(wait) = wait else {
        return Ok(Json(job));
    };
    let past = app.registry.wait_past(id, after.unwrap_or(job.sequence));
    wait_for(&app, id, wait, past).await.map(Json)
}
