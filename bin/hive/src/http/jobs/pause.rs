//! `POST /v1/jobs/{id}/pause`: the job gives back its slot and keeps its bytes, durable before the answer.

use std::sync::Arc;

use axum::{Extension, Json, extract::State};
use hive_api::{Job, JobId, JobState, Open};
use http::Uri;

use super::{InPath, no_such_job, take_wait, unchanged, wait_for};
use crate::http::{
    app::App,
    asker::{Asker, Did},
    openapi::refusals::{OfName, OfRegistry, OfState},
    problems::Refusal,
    query::Query,
};

/// What a pause brings a job to.
const PAUSED: [JobState; 2] = [JobState::Pausing, JobState::Paused];
const REASON: &str = "a job can be paused until it is cancelled or publishes what it has received";
const HINT: &str = "keeper job list shows which jobs run and wait";

/// Pauses a job
///
/// It gives back its slot and keeps its bytes. Repeatable.
#[utoipa::path(
    post,
    path = "/v1/jobs/{id}/pause",
    tag = "jobs",
    operation_id = "pause_job",
    params(
        ("id" = JobId, Path, description = "The job"),
        ("wait_seconds" = Option<u64>, Query, description = "Wait so long until nothing of it runs", maximum = 300),
    ),
    responses(
        (status = 200, description = "The job, `pausing` or `paused`", body = Job),
        OfName,
        OfState,
        OfRegistry,
    ),
)]
pub(super) async fn pause(
    State(app): State<Arc<App>>,
    Extension(asker): Extension<Asker>,
    InPath(id): InPath,
    uri: Uri,
) -> Result<Json<Job>, Refusal> {
    let mut query = Query::of(&uri)?;
    let wait = take_wait(&mut query)?;
    query.finish()?;
    let caller = asker.caller.name.clone();
    let changing = Arc::clone(&app);
    let job = asker.change(&app, async move {
        let before = changing.registry.get(id).await.ok().flatten();
        let paused = changing.registry.pause(id).await;
        let job = paused
            .map_err(|error| unchanged(id, error, REASON, HINT))?
            .ok_or_else(no_such_job)?;
        let did = Did::moved("job.pause", before.as_ref(), &job, PAUSED);
        Ok((job, did))
    });
    let job = job.await?;
    tracing::info!(job.id = %id, job.state = job.state.as_str(), caller, "pause asked for");
    let is_pausing = job.state == Open::Known(JobState::Pausing);
    match wait.filter(|_| is_pausing) {
        Some(wait) => {
            let at_rest = app.registry.wait_while_pausing(id);
            wait_for(&app, id, wait, at_rest).await.map(Json)
        }
        None => Ok(Json(job)),
    }
}
