//! `GET /v1/jobs/{id}/events`: the job's story as it happens, by server-sent events (WHATWG HTML, section 9.2).

use std::sync::Arc;

use axum::{
    Extension,
    extract::State,
    response::{IntoResponse, Response, sse::Event as Frame},
};
use futures_util::{Stream, stream};
use hive_api::{Event, JobId};
use http::{HeaderMap, HeaderName, StatusCode, Uri};
use job_registry::{JobWatch, LastEventId, WatchStart, Watched};

use super::{InPath, no_such_job};
use crate::http::{
    app::App,
    openapi::refusals::{OfName, OfRegistry, OfStream},
    problems::Refusal,
    query::Query,
    session::Admission,
    sse,
};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Follows a job's events
///
/// Server-sent events, each with a JSON object as its data: `snapshot` (`Snapshot`) at once, then `state`
/// (`StateEvent`), `phase` (`PhaseEvent`), `log` (`LogEvent`), `progress` (`Progress`, at most 4 a second) and
/// `heartbeat` (`Heartbeat`, every 5 seconds), and at the end exactly one `succeeded`, `failed` or `cancelled` (`Job`),
/// after which the hive closes. A stream that closes without one is a lost connection. `id` is the number of the last
/// logged event delivered on the stream.
#[utoipa::path(
    get,
    path = "/v1/jobs/{id}/events",
    tag = "jobs",
    operation_id = "follow_job",
    params(
        ("id" = JobId, Path, description = "The job"),
        (
            "Last-Event-ID" = Option<String>,
            Header,
            description = "The last `id` that the reader has: the stream gives exactly the rest. One that is not \
                           understood or too old gets a snapshot with `resumed` false",
        ),
    ),
    responses(
        (status = 200, description = "The stream", content_type = "text/event-stream", body = sse::ServerSentEvent),
        (status = 204, description = "The job has ended and the reader has its last event"),
        OfName,
        OfStream,
        OfRegistry,
    ),
)]
pub(super) async fn events(
    State(app): State<Arc<App>>,
    Extension(admission): Extension<Admission>,
    InPath(id): InPath,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    Query::of(&uri)?.finish()?;
    let last_event_id = headers.get(LAST_EVENT_ID).map(|value| {
        // What is no text is no number either, and the reader is told that it was not resumed.
        LastEventId::parse(value.to_str().unwrap_or_default())
    });
    let seat = app.seats.take(Some(id))?;
    let watch = match app.registry.watch(id, last_event_id).await? {
        None => return Err(no_such_job()),
        // The one status that tells a browser's EventSource not to come again.
        Some(WatchStart::AtEnd) => return Ok(StatusCode::NO_CONTENT.into_response()),
        Some(WatchStart::Follow(watch)) => watch,
    };
    Ok(sse::answer(&app, admission, seat, frames(*watch)))
}

fn frames(watch: JobWatch) -> impl Stream<Item = Frame> + Send {
    stream::unfold(watch, async |mut watch| {
        let watched = watch.next().await?;
        let frame = frame(&watched)
            .inspect_err(|error| tracing::error!(%error, "an event cannot be written"))
            .ok()?;
        Some((frame, watch))
    })
}

/// One frame. Numbers, the contract's names and one-line JSON: nothing in it can end a line early.
fn frame(watched: &Watched) -> Result<Frame, serde_json::Error> {
    let mut frame = Frame::default();
    if let Event::Snapshot(_) = watched.event {
        frame = frame.retry(sse::RECONNECT_AFTER);
    }
    let data = watched.event.data()?.to_string();
    Ok(frame
        .id(watched.id.to_string())
        .event(watched.event.name())
        .data(data))
}
