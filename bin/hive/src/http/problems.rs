//! How a problem becomes an answer: the status, `application/problem+json`, and the headers that go with a code.
//!
//! A handler only names the problem. The body is written in one place, where the request's id is known, so that no
//! error leaves without it, also none that axum made.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use hive_api::{InvalidField, Problem, ProblemCode};
use http::{HeaderValue, StatusCode, header};
use job_registry::RegistryError;

/// Seconds after which a client that was turned away for now may ask again.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("2");
/// Seconds after which a client may ask again whether there is room on a disk that was full.
const RETRY_FULL_DISK_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("10");

/// A problem on its way to the client.
#[derive(Clone, Debug)]
pub(super) struct Refusal(pub(super) Box<Problem>);

impl Refusal {
    pub(super) fn new(code: ProblemCode, detail: impl Into<String>) -> Self {
        Problem::new(code, detail).into()
    }

    /// Fields that cannot be, each with its JSON pointer.
    pub(super) fn invalid(errors: Vec<InvalidField>) -> Self {
        let detail = match errors.as_slice() {
            [one] if one.pointer.is_empty() => one.detail.clone(),
            [one] => format!("`{}`: {}", one.pointer, one.detail),
            several => format!("{} fields are invalid", several.len()),
        };
        Problem::new(ProblemCode::InvalidRequest, detail)
            .with_errors(errors)
            .into()
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self(Box::new(problem))
    }
}

impl From<RegistryError> for Refusal {
    fn from(error: RegistryError) -> Self {
        let (code, detail, hint) = match &error {
            RegistryError::ShutDown => {
                return Self::new(ProblemCode::ShuttingDown, "the hive is stopping");
            }
            RegistryError::DiskFull(_) => (
                ProblemCode::InsufficientStorage,
                "the disk of the hive's state folder is full",
                "make room there; the hive goes on by itself, and a job that was cancelled is stopped already",
            ),
            RegistryError::Busy(_) => (
                ProblemCode::StoreUnavailable,
                "the job database is held by another program",
                "close the program that has `hive.db` open in the hive's state folder, and ask again",
            ),
            RegistryError::Database(_) | RegistryError::Json(_) | RegistryError::Conflict => (
                ProblemCode::Internal,
                "the job registry cannot be read or written",
                "the hive's log says why",
            ),
        };
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "the job registry failed"
        );
        Self::new(code, detail).into_with_hint(hint)
    }
}

impl Refusal {
    fn into_with_hint(mut self, hint: &str) -> Self {
        self.0.hint = Some(hint.to_owned());
        self
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = status_of(&self.0).into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Gives an error its body: the problem that a handler named, or the one that the status stands for.
pub(super) fn complete(response: Response, request_id: &str) -> Response {
    let (mut parts, body) = response.into_parts();
    let Refusal(mut problem) = match parts.extensions.remove::<Refusal>() {
        Some(refusal) => refusal,
        None if parts.status.is_client_error() || parts.status.is_server_error() => {
            bare(parts.status)
        }
        None => return Response::from_parts(parts, body),
    };
    problem.request_id = Some(request_id.to_owned());
    parts.status = status_of(&problem);
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/problem+json"),
    );
    match parts.status {
        StatusCode::UNAUTHORIZED => {
            let scheme = HeaderValue::from_static("Bearer");
            let challenge = parts.headers.entry(header::WWW_AUTHENTICATE);
            challenge.or_insert(scheme);
        }
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            parts
                .headers
                .insert(header::RETRY_AFTER, RETRY_AFTER_SECONDS);
        }
        StatusCode::INSUFFICIENT_STORAGE => {
            parts
                .headers
                .insert(header::RETRY_AFTER, RETRY_FULL_DISK_AFTER_SECONDS);
        }
        _ => {}
    }
    let body = serde_json::to_vec(&problem).map_or_else(|_| Body::empty(), Body::from);
    Response::from_parts(parts, body)
}

/// The problem of an error that axum made: it has a status and nothing more.
fn bare(status: StatusCode) -> Refusal {
    match status {
        StatusCode::METHOD_NOT_ALLOWED => Refusal::new(
            ProblemCode::MethodNotAllowed,
            "this route does not know that method, `Allow` names those it knows",
        ),
        StatusCode::NOT_FOUND => Refusal::new(ProblemCode::NotFound, "there is no such route"),
        _ => Refusal::new(ProblemCode::Internal, "the request could not be answered"),
    }
}

fn status_of(problem: &Problem) -> StatusCode {
    StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
