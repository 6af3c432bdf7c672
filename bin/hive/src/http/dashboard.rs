//! `GET /v1/events`: all jobs at once, for dashboards.

use std::sync::Arc;

use axum::{
    Extension,
    extract::State,
    response::{Response, sse::Event},
};
use futures_util::stream;
use hive_api::{HiveHeartbeat, JobsSnapshot, paths};
use http::Uri;
use job_registry::{AllJobs, AllJobsWatch};
use serde::Serialize;

use super::{
    app::App, openapi::refusals::OfStream, problems::Refusal, query::Query, session::Admission, sse,
};

/// Follows all jobs
///
/// Server-sent events for dashboards, each with a JSON object as its data: `snapshot` (`JobsSnapshot`, every unfinished
/// job) at once, then `job` (`Job`) for each that is new or changed, at most 4 a second each, one that has ended once
/// more in its last state, and `heartbeat` (`HiveHeartbeat`) every 5 seconds. There are no ids: each connection starts
/// anew.
#[utoipa::path(
    get,
    path = paths::EVENTS,
    tag = "jobs",
    operation_id = "follow_all_jobs",
    responses(
        (status = 200, description = "The stream", content_type = "text/event-stream", body = sse::ServerSentEvent),
        OfStream,
    ),
)]
pub(super) async fn events(
    State(app): State<Arc<App>>,
    Extension(admission): Extension<Admission>,
    uri: Uri,
) -> Result<Response, Refusal> {
    Query::of(&uri)?.finish()?;
    let seat = app.seats.take(None)?;
    let frames = frames(Arc::clone(&app), app.registry.watch_all());
    Ok(sse::answer(&app, admission, seat, frames))
}

fn frames(app: Arc<App>, watch: AllJobsWatch) -> impl stream::Stream<Item = Event> + Send {
    stream::unfold((app, watch), async |(app, mut watch)| {
        let frame = match watch.next().await? {
            AllJobs::Snapshot(jobs) => {
                let frame = frame("snapshot", &JobsSnapshot { jobs });
                frame.map(|frame| frame.retry(sse::RECONNECT_AFTER))
            }
            AllJobs::Job(job) => frame("job", &job),
            AllJobs::Heartbeat => {
                let counts = app.registry.counts();
                let heartbeat = HiveHeartbeat {
                    running_jobs: counts.running,
                    queued_jobs: counts.queued,
                };
                frame("heartbeat", &heartbeat)
            }
        };
        let frame = frame
            .inspect_err(|error| tracing::error!(%error, "an event cannot be written"))
            .ok()?;
        Some((frame, (app, watch)))
    })
}

fn frame(name: &str, data: &impl Serialize) -> Result<Event, serde_json::Error> {
    let data = serde_json::to_string(data)?;
    Ok(Event::default().event(name).data(data))
}
