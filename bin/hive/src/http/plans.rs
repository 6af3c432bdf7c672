//! `POST /v1/plans`: what a download would fetch, before the first byte.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Request, State},
};
use hive_api::{Job, Plan};

use super::{app::App, problems::Refusal, query::Query, submission};

pub(super) async fn plan(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Json<Plan>, Refusal> {
    Query::of(request.uri())?.finish()?;
    let wanted = submission::read(&app, request).await?;
    // Ends with this request: a caller that leaves drops the future, a hive that stops fires the token.
    let mut plan = app.operations.plan(&wanted.operation, &app.drain).await?;
    plan.reserved_bytes = app.jobs_at_work().await?.iter().map(unwritten_bytes).sum();
    Ok(Json(plan))
}

/// What a job has planned to fetch and has not received yet.
fn unwritten_bytes(job: &Job) -> u64 {
    let to_fetch = job.plan.as_ref().and_then(|plan| plan.bytes_to_fetch);
    let received = job
        .progress
        .bytes_done
        .saturating_sub(job.progress.bytes_reused);
    to_fetch.unwrap_or_default().saturating_sub(received)
}
