//! `DELETE /v1/jobs/{id}`: the wish to stop is durable before the answer.

use std::{sync::Arc, time::Duration};

use axum::{Extension, Json, extract::State};
use hive_api::{Job, JobId, JobState};
use http::Uri;

use super::{InPath, PATH, no_such_job, take_wait, wait_for};
use crate::http::{
    app::App,
    asker::{Asker, Did},
    openapi::refusals::{OfDiscard, OfName},
    problems::Refusal,
    query::Query,
};

/// What a cancel brings a job to.
const CANCELLED: [JobState; 2] = [JobState::Cancelling, JobState::Cancelled];
/// How long a cancel that also discards waits for the work to end, unless told otherwise.
const DISCARD_WAIT: Duration = Duration::from_secs(5);

/// Cancels a job
///
/// Repeatable. A job that publishes answers as it is and ends by itself.
#[utoipa::path(
    delete,
    path = PATH,
    tag = "jobs",
    operation_id = "cancel_job",
    params(
        ("id" = JobId, Path, description = "The job"),
        ("wait_seconds" = Option<u64>, Query, description = "Wait for its end so long", maximum = 300),
        ("discard_partial" = Option<bool>, Query, description = "Also remove what it has received"),
    ),
    responses(
        (status = 200, description = "The job in its state now", body = Job),
        OfName,
        OfDiscard,
    ),
)]
pub(super) async fn cancel(
    State(app): State<Arc<App>>,
    Extension(asker): Extension<Asker>,
    InPath(id): InPath,
    uri: Uri,
) -> Result<Json<Job>, Refusal> {
    let mut query = Query::of(&uri)?;
    let wait = take_wait(&mut query)?;
    let discard_partial = query.flag("discard_partial")?;
    query.finish()?;
    let changing = Arc::clone(&app);
    let job = asker.clone().change(&app, async move {
        // A database that cannot tell must not keep the job from being stopped.
        let before = changing.registry.get(id).await.ok().flatten();
        let job = changing.registry.cancel(id).await?;
        let job = job.ok_or_else(no_such_job)?;
        let did = Did::moved("job.cancel", before.as_ref(), &job, CANCELLED);
        Ok((job, did))
    });
    let job = job.await?;
    let caller = asker.caller.name.as_str();
    tracing::info!(job.id = %id, job.state = job.state.as_str(), caller, "cancel asked for");
    let wait = wait.or(discard_partial.then_some(DISCARD_WAIT));
    let job = match wait {
        Some(wait) if !job.state.has_ended() => {
            let ended = app.registry.wait_until_ended(id);
            wait_for(&app, id, wait, ended).await?
        }
        Some(_) | None => job,
    };
    if discard_partial && job.state.has_ended() {
        let changing = Arc::clone(&app);
        let discarded = asker.change(&app, async move { discard(&changing, job).await });
        return discarded.await.map(Json);
    }
    Ok(Json(job))
}

/// Removes what an ended job has received and not published.
async fn discard(app: &App, job: Job) -> Result<(Job, Option<Did>), Refusal> {
    let id = job.job_id;
    let bytes = app.operations.discard_partial(&job).await?;
    tracing::info!(job.id = %id, discarded.bytes = bytes, "discarded what was received");
    let discarded = app.registry.partial_discarded(id).await?;
    let did = (bytes > 0).then(|| Did::new("job.discard", &id, format!("{bytes} bytes")));
    Ok((discarded.unwrap_or(job), did))
}
