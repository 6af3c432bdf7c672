//! `GET /v1/jobs/{id}/events`: the job's story as it happens, by server-sent events (WHATWG HTML, section 9.2).

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::State,
    response::{IntoResponse, Response, Sse, sse},
};
use futures_util::{Stream, StreamExt, stream};
use hive_api::{Event, ProblemCode};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use job_registry::{JobWatch, LastEventId, WatchStart, Watched};
use tokio::sync::OwnedSemaphorePermit;

use super::{InPath, no_such_job};
use crate::http::{app::App, problems::Refusal, query::Query};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
/// How long a reader waits before it connects again.
const RECONNECT_AFTER: Duration = Duration::from_secs(2);

pub(super) async fn events(
    State(app): State<Arc<App>>,
    InPath(id): InPath,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    Query::of(&uri)?.finish()?;
    let last_event_id = headers.get(LAST_EVENT_ID).map(|value| {
        // What is no text is no number either, and the reader is told that it was not resumed.
        LastEventId::parse(value.to_str().unwrap_or_default())
    });
    let seat = Arc::clone(&app.streams).try_acquire_owned().map_err(|_| {
        Refusal::new(
            ProblemCode::TooManyStreams,
            "too many event streams are open on this hive",
        )
    })?;
    let watch = match app.registry.watch(id, last_event_id).await? {
        None => return Err(no_such_job()),
        // The one status that tells a browser's EventSource not to come again.
        Some(WatchStart::AtEnd) => return Ok(StatusCode::NO_CONTENT.into_response()),
        Some(WatchStart::Follow(watch)) => watch,
    };
    let drain = app.drain.clone();
    let stream = frames(*watch, seat).take_until(drain.cancelled_owned());
    let headers = [
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (X_ACCEL_BUFFERING, HeaderValue::from_static("no")),
    ];
    Ok((headers, Sse::new(stream)).into_response())
}

/// The watch as frames; the seat is given back with the stream.
fn frames(
    watch: JobWatch,
    seat: OwnedSemaphorePermit,
) -> impl Stream<Item = Result<sse::Event, Infallible>> + Send {
    stream::unfold((watch, seat), async |(mut watch, seat)| {
        let watched = watch.next().await?;
        let frame = frame(&watched)
            .inspect_err(|error| tracing::error!(%error, "an event cannot be written"))
            .ok()?;
        Some((Ok(frame), (watch, seat)))
    })
}

/// One frame. Numbers, the contract's names and one-line JSON: nothing in it can end a line early.
fn frame(watched: &Watched) -> Result<sse::Event, serde_json::Error> {
    let mut frame = sse::Event::default();
    if let Event::Snapshot(_) = watched.event {
        frame = frame.retry(RECONNECT_AFTER);
    }
    let data = watched.event.data()?.to_string();
    Ok(frame
        .id(watched.id.to_string())
        .event(watched.event.name())
        .data(data))
}
