//! `GET /v1/jobs`: one page, newest first.

use std::sync::Arc;

use axum::{Json, extract::State};
use hive_api::{JobList, JobState, paths};
use http::Uri;
use job_registry::{JobFilter, ListError};

use crate::http::{
    app::App,
    openapi::refusals::OfRegistry,
    problems::Refusal,
    query::{Query, refused},
};

/// Lists jobs, newest first
#[utoipa::path(
    get,
    path = paths::JOBS,
    tag = "jobs",
    operation_id = "list_jobs",
    params(
        ("state" = inline(Option<JobState>), Query, description = "Only jobs in this state"),
        ("kind" = Option<String>, Query, description = "Only jobs of this operation kind", example = "model_download"),
        ("limit" = Option<u32>, Query, description = "Jobs on the page, 50 if not given; above 1,000 is 1,000"),
        ("cursor" = Option<String>, Query, description = "The `next_cursor` of the page before"),
    ),
    responses((status = 200, description = "One page", body = JobList), OfRegistry),
)]
pub(super) async fn list(State(app): State<Arc<App>>, uri: Uri) -> Result<Json<JobList>, Refusal> {
    let mut query = Query::of(&uri)?;
    let mut filter = JobFilter {
        state: query
            .text("state")
            .map(|text| state_of(&text))
            .transpose()?,
        kind: query.text("kind"),
        cursor: query.text("cursor"),
        ..JobFilter::default()
    };
    if let Some(limit) = query.take("limit", "a whole number")? {
        filter.limit = limit;
    }
    query.finish()?;
    match app.registry.list(&filter).await {
        Ok(list) => Ok(Json(list)),
        Err(ListError::InvalidCursor) => Err(refused("cursor", "is not one that this hive gave")),
        Err(ListError::Registry(error)) => Err(error.into()),
    }
}

fn state_of(text: &str) -> Result<JobState, Refusal> {
    let found = JobState::ALL
        .into_iter()
        .find(|state| state.as_str() == text);
    found.ok_or_else(|| {
        let states = JobState::ALL.map(JobState::as_str).join(", ");
        refused("state", &format!("must be one of {states}"))
    })
}
