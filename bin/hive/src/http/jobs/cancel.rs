//! `DELETE /v1/jobs/{id}`: the wish to stop is durable before the answer.

use std::sync::Arc;

use axum::{Extension, Json, extract::State};
use hive_api::Job;
use http::Uri;

use super::{InPath, no_such_job, take_wait, wait_for};
use crate::http::{app::App, auth::Caller, problems::Refusal, query::Query};

pub(super) async fn cancel(
    State(app): State<Arc<App>>,
    Extension(Caller(caller)): Extension<Caller>,
    InPath(id): InPath,
    uri: Uri,
) -> Result<Json<Job>, Refusal> {
    let mut query = Query::of(&uri)?;
    let wait = take_wait(&mut query)?;
    // What was received for a job that does not publish is removed when its work ends, so there is nothing that
    // outlasts it to discard.
    query.flag("discard_partial")?;
    query.finish()?;
    let job = app.registry.cancel(id).await?.ok_or_else(no_such_job)?;
    tracing::info!(job.id = %id, job.state = job.state.as_str(), caller, "cancel asked for");
    match wait {
        Some(wait) if !job.state.has_ended() => {
            let ended = app.registry.wait_until_ended(id);
            wait_for(&app, id, wait, ended).await.map(Json)
        }
        Some(_) | None => Ok(Json(job)),
    }
}
