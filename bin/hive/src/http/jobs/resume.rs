//! `POST /v1/jobs/{id}/resume`: a paused job waits for a slot again, durable before the answer.

use std::sync::Arc;

use axum::{Extension, Json, extract::State};
use hive_api::{Job, JobId, JobState, Open};
use http::Uri;
use job_registry::ChangeError;

use super::{InPath, no_such_job, unchanged};
use crate::http::{
    app::App,
    asker::{Asker, Did},
    openapi::refusals::{OfName, OfRegistry, OfState},
    problems::Refusal,
    query::Query,
};

const REASON: &str = "only a paused job can be resumed";

/// Puts a paused job back into the queue
#[utoipa::path(
    post,
    path = "/v1/jobs/{id}/resume",
    tag = "jobs",
    operation_id = "resume_job",
    params(("id" = JobId, Path, description = "The job")),
    responses(
        (status = 200, description = "The job, queued", body = Job),
        OfName,
        OfState,
        OfRegistry,
    ),
)]
pub(super) async fn resume(
    State(app): State<Arc<App>>,
    Extension(asker): Extension<Asker>,
    InPath(id): InPath,
    uri: Uri,
) -> Result<Json<Job>, Refusal> {
    Query::of(&uri)?.finish()?;
    let caller = asker.caller.name.clone();
    let changing = Arc::clone(&app);
    let job = asker.change(&app, async move {
        let resumed = changing.registry.resume(id).await;
        let job = resumed
            .map_err(|error| {
                let hint = way_on(id, &error);
                unchanged(id, error, REASON, &hint)
            })?
            .ok_or_else(no_such_job)?;
        let did = Did::of_job("job.resume", &job);
        Ok((job, Some(did)))
    });
    let job = job.await?;
    tracing::info!(job.id = %id, job.state = job.state.as_str(), caller, "resumed");
    Ok(Json(job))
}

/// What to do about a job that is not paused.
fn way_on(id: JobId, error: &ChangeError) -> String {
    let short = id.short();
    match error {
        ChangeError::WrongState { state } if state.has_ended() => {
            format!("keeper job retry {short} submits it anew")
        }
        ChangeError::WrongState {
            state: Open::Known(JobState::Pausing),
        } => "ask again in a moment, its work is ending".to_owned(),
        ChangeError::WrongState { .. } | ChangeError::Registry(_) => {
            format!("keeper job show {short} says where it is")
        }
    }
}
