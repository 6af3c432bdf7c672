//! `GET /v1/audit`: what was done by whom.

use std::sync::Arc;

use axum::{Json, extract::State};
use hive_api::{AuditPage, ProblemCode, StateFolder, paths};
use http::Uri;

use super::{
    app::App, openapi::refusals::OfStore, problems::Refusal, query::Query, tokens::off_the_workers,
};
use crate::access::audit;

/// Entries of a page unless told otherwise.
const PAGE: usize = 50;
/// Entries of a page at most.
const LONGEST_PAGE: usize = 1000;

/// Tells what was done by whom, newest first
#[utoipa::path(
    get,
    path = paths::AUDIT,
    tag = "access",
    operation_id = "read_audit",
    params(
        ("limit" = Option<u32>, Query, description = "Entries on the page, 50 if not given; above 1,000 is 1,000"),
        (
            "cursor" = Option<String>,
            Query,
            description = "The `next_cursor` of the page before",
            pattern = "^[0-9]{1,19}$"
        ),
    ),
    responses((status = 200, description = "One page", body = AuditPage), OfStore),
)]
pub(super) async fn audit(
    State(app): State<Arc<App>>,
    uri: Uri,
) -> Result<Json<AuditPage>, Refusal> {
    let mut query = Query::of(&uri)?;
    let limit = query.take("limit", "a whole number")?;
    let before = query.take("cursor", "one that this hive gave")?;
    query.finish()?;
    let limit = limit
        .map_or(PAGE, |limit: u32| limit as usize)
        .min(LONGEST_PAGE);
    let folder: StateFolder = app.state.clone();
    // One more tells whether there is a next page.
    let read = off_the_workers(move || audit::read(&folder, limit + 1, before)).await?;
    let mut entries = read.map_err(|error| {
        tracing::error!(%error, "the audit log cannot be read");
        Refusal::new(
            ProblemCode::StoreUnavailable,
            format!("the audit log cannot be read: {error}"),
        )
    })?;
    let is_last = entries.len() <= limit;
    entries.truncate(limit);
    let last = entries.last().filter(|_| !is_last);
    Ok(Json(AuditPage {
        next_cursor: last.map(|last| last.sequence.to_string()),
        entries,
    }))
}
