//! `POST /v1/plans`: what a download would fetch, before the first byte.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Request, State},
};
use hive_api::{Plan, SubmitJob, paths};

use super::{
    app::App,
    openapi::refusals::{OfBody, OfHub},
    problems::Refusal,
    query::Query,
    submission,
};

/// Says what a download would fetch
#[utoipa::path(
    post,
    path = paths::PLANS,
    tag = "models",
    operation_id = "plan",
    request_body = SubmitJob,
    responses((status = 200, description = "The plan", body = Plan), OfBody, OfHub),
)]
pub(super) async fn plan(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Json<Plan>, Refusal> {
    Query::of(request.uri())?.finish()?;
    let wanted = submission::read(&app, request).await?;
    // Ends with this request: a caller that leaves drops the future, a hive that stops fires the token.
    let plan = app.operations.plan(&wanted.operation, &app.drain).await?;
    Ok(Json(plan))
}
