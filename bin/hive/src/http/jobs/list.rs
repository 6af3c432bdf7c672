//! `GET /v1/jobs`: one page, newest first.

use std::sync::Arc;

use axum::{Json, extract::State};
use hive_api::{JobList, JobState};
use http::Uri;
use job_registry::{JobFilter, ListError};

use crate::http::{
    app::App,
    problems::Refusal,
    query::{Query, refused},
};

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
