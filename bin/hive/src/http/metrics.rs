//! `GET /metrics`: how this hive does, for Prometheus.

use std::sync::Arc;

use axum::{extract::State, response::IntoResponse};
use hive_api::{ProblemCode, paths};
use http::{Uri, header};

use super::{app::App, openapi::refusals::OfRegistry, problems::Refusal, query::Query};
use crate::metrics::{CONTENT_TYPE, Figures};

/// Tells how the hive does
///
/// In the OpenMetrics text format, which Prometheus reads.
#[utoipa::path(
    get,
    path = paths::METRICS,
    tag = "hive",
    operation_id = "show_metrics",
    responses(
        (status = 200, description = "The metrics", content_type = "application/openmetrics-text", body = String),
        OfRegistry,
    ),
)]
pub(super) async fn metrics(
    State(app): State<Arc<App>>,
    uri: Uri,
) -> Result<impl IntoResponse, Refusal> {
    Query::of(&uri)?.finish()?;
    let running = app.jobs_at_work().await?;
    let figures = Figures {
        jobs: app.registry.count_jobs().await?,
        received_bytes: app.operations.model_downloads.bytes_received(),
        receive_bytes_per_second: running
            .iter()
            .map(|job| job.progress.bytes_per_second)
            .sum(),
        event_streams: app.seats.taken(),
        connections: app.connections.len(),
        started: app.facts.started_at.as_duration().as_secs_f64(),
    };
    let text = app.metrics.text(&figures).map_err(|error| {
        tracing::error!(%error, "the metrics cannot be written");
        Refusal::new(ProblemCode::Internal, "the metrics cannot be written")
    })?;
    Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], text))
}
