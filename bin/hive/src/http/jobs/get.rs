//! `GET /v1/jobs/{id}`: the job now, or as soon as something happened to it.

use std::sync::Arc;

use axum::{Json, extract::State};
use hive_api::{Job, JobId};
use http::Uri;

use super::{InPath, PATH, no_such_job, take_wait, wait_for};
use crate::http::{
    app::App,
    openapi::refusals::{OfName, OfRegistry},
    problems::Refusal,
    query::Query,
};

/// Shows a job
#[utoipa::path(
    get,
    path = PATH,
    tag = "jobs",
    operation_id = "show_job",
    params(
        ("id" = JobId, Path, description = "The job"),
        ("wait_seconds" = Option<u64>, Query, description = "Wait for news so long", maximum = 300),
        (
            "after" = Option<u64>,
            Query,
            description = "What is news: an event past this number; the job's last one if not given",
        ),
    ),
    responses(
        (status = 200, description = "The job, also when it failed", body = Job),
        OfName,
        OfRegistry,
    ),
)]
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
