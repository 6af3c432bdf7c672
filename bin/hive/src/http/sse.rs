//! Server-sent events (WHATWG HTML, section 9.2): what every event stream of this hive has in common.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::response::{IntoResponse, Response, Sse, sse::Event};
use futures_util::{Stream, StreamExt};
use http::{HeaderName, HeaderValue, header};
use utoipa::ToSchema;

use super::{app::App, seats::Seat, session::Admission};

const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
/// How long a reader waits before it connects again.
pub(super) const RECONNECT_AFTER: Duration = Duration::from_secs(2);

/// A server-sent event
///
/// Its lines as the fields of an object.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is described and never made")]
pub(super) struct ServerSentEvent {
    /// What happened.
    event: String,
    /// A JSON object.
    #[schema(content_media_type = "application/json")]
    data: String,
    /// Where to go on: comes back as `Last-Event-ID`.
    id: Option<String>,
    /// Milliseconds after which to connect again.
    retry: Option<u32>,
}

/// Answers with frames until they end, the hive stops or the reader may no longer ask; the seat is given back then.
pub(super) fn answer(
    app: &Arc<App>,
    admission: Admission,
    seat: Seat,
    frames: impl Stream<Item = Event> + Send + 'static,
) -> Response {
    let drain = app.drain.clone();
    let open = admission.hold();
    let over = async move {
        tokio::select! {
            () = drain.cancelled() => {}
            () = admission.over() => {}
        }
    };
    let frames = frames.take_until(Box::pin(over)).map(move |frame| {
        let _taken = (&seat, &open);
        Ok::<_, Infallible>(frame)
    });
    let headers = [
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (X_ACCEL_BUFFERING, HeaderValue::from_static("no")),
    ];
    (headers, Sse::new(frames)).into_response()
}
