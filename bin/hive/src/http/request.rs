//! What every request gets: an id, a log line, and an answer even where a handler panics.

use std::{borrow::Cow, panic::AssertUnwindSafe};

use axum::{
    extract::Request,
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures_util::FutureExt;
use hive_api::ProblemCode;
use http::{HeaderName, HeaderValue, Method, StatusCode};
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    Door,
    problems::{Refusal, complete},
};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// A client's own request id is taken over up to this length.
const LONGEST_REQUEST_ID: usize = 64;
/// Characters of a method and of a path that a log line shows: strangers must not fill the disk.
const LONGEST_LOGGED: usize = 256;

/// The request's id, for whoever answers it.
#[derive(Clone, Debug)]
pub(super) struct RequestId(pub(super) String);

/// The outermost layer.
pub(super) async fn answer(mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = request_id(&request);
    request.extensions_mut().insert(RequestId(id.clone()));
    let line = Line {
        method: request.method().clone(),
        path: shortened(request.uri().path()).into_owned(),
        door: request.extensions().get::<Door>().copied(),
    };
    let answered = AssertUnwindSafe(next.run(request)).catch_unwind().await;
    let response = answered.unwrap_or_else(|_| {
        Refusal::new(
            ProblemCode::Internal,
            "the hive made a mistake at this request",
        )
        .into_response()
    });
    let mut response = complete(response, &id);
    line.log(response.status(), started, &id);
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

/// The client's id where it is one that is safe to repeat, else one of ours.
fn request_id(request: &Request) -> String {
    let sane = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    request
        .headers()
        .get(REQUEST_ID)
        .and_then(|value| value.to_str().ok())
        .filter(|id| !id.is_empty() && id.len() <= LONGEST_REQUEST_ID && id.chars().all(sane))
        .map_or_else(|| Uuid::now_v7().to_string(), str::to_owned)
}

/// What the log says of a request. The query is left out: nothing in it is needed, and what never goes into a log
/// cannot leak from it.
struct Line {
    method: Method,
    path: String,
    door: Option<Door>,
}

impl Line {
    fn log(&self, status: StatusCode, started: Instant, id: &str) {
        let duration_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        let method = &*shortened(self.method.as_str());
        let (path, status) = (self.path.as_str(), status.as_u16());
        let door = self.door.map(Door::name);
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    http.method = method,
                    http.path = path,
                    http.status = status,
                    http.door = door,
                    http.duration_us = duration_us,
                    request.id = id,
                    "answered"
                )
            };
        }
        match status {
            500.. => line!(error),
            400..500 => line!(info),
            _ if self.method == Method::GET || self.method == Method::HEAD => line!(debug),
            _ => line!(info),
        }
    }
}

/// The beginning of a text that is too long for a log line, marked as one.
fn shortened(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(LONGEST_LOGGED) {
        None => Cow::Borrowed(text),
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
    }
}
