//! `POST /v1/plans`: what a download would fetch, before the first byte.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Request, State},
};
use hive_api::Plan;

use super::{app::App, problems::Refusal, query::Query, submission};

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
