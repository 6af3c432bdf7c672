//! From an HTTP answer to a value or a typed error, bounded in size.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use hive_api::{Open, Problem, ProblemCode};
use http::StatusCode;
use serde::de::DeserializeOwned;

use crate::{ClientError, certificate};

/// The largest answer that is read: a thousand jobs with all their figures are far below.
pub(crate) const ANSWER_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Reads the whole answer, and takes it for `T` or for the problem that it is.
pub(crate) async fn read<T: DeserializeOwned>(
    hive: &str,
    limit: Duration,
    response: reqwest::Response,
) -> Result<T, ClientError> {
    let status = response.status();
    let body = read_body(hive, limit, response).await?;
    if !status.is_success() {
        return Err(refusal(hive, status, &body));
    }
    serde_json::from_slice(&body)
        .map_err(|error| protocol(hive, format!("its answer cannot be read: {error}")))
}

/// Reads a body to its end.
pub(crate) async fn read_body(
    hive: &str,
    limit: Duration,
    response: reqwest::Response,
) -> Result<Bytes, ClientError> {
    let body = collect(response.bytes_stream(), ANSWER_BYTES_MAX).await;
    match body {
        Ok(Some(body)) => Ok(body),
        Ok(None) => Err(protocol(
            hive,
            format!("the answer is larger than {ANSWER_BYTES_MAX} bytes"),
        )),
        Err(error) => Err(transport(hive, limit, error)),
    }
}

/// Joins the chunks, or `None` when they exceed the limit.
pub(crate) async fn collect<E>(
    chunks: impl Stream<Item = Result<Bytes, E>>,
    bytes_max: usize,
) -> Result<Option<Bytes>, E> {
    let mut chunks = std::pin::pin!(chunks);
    let mut body = BytesMut::new();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk?;
        if body.len() + chunk.len() > bytes_max {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body.freeze()))
}

/// The error that an answer other than success means.
pub(crate) fn refusal(hive: &str, status: StatusCode, body: &[u8]) -> ClientError {
    match serde_json::from_slice::<Problem>(body) {
        Ok(problem) if status.is_client_error() || status.is_server_error() => {
            if refuses_who_asks(status, &problem) {
                ClientError::Unauthorized(Box::new(problem))
            } else {
                ClientError::Problem(Box::new(problem))
            }
        }
        Ok(_) | Err(_) if is_a_gateways(status) => ClientError::AnswerLost {
            hive: hive.to_owned(),
            source: format!("a proxy in between answers {status}").into(),
        },
        Ok(_) | Err(_) => protocol(hive, format!("it answers {status} without a problem")),
    }
}

/// Whether a proxy says so when it does not get through (RFC 9110, section 15.6). The hive may have had the request.
fn is_a_gateways(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT
    )
}

/// Whether it is about the client's own token; the Hub's refusals share the status and not the code.
fn refuses_who_asks(status: StatusCode, problem: &Problem) -> bool {
    match &problem.code {
        Open::Known(code) => matches!(
            code,
            ProblemCode::Unauthenticated
                | ProblemCode::Forbidden
                | ProblemCode::HostNotAllowed
                | ProblemCode::OriginNotAllowed
                | ProblemCode::PairingRefused
        ),
        Open::Unknown(_) => status == StatusCode::UNAUTHORIZED,
    }
}

/// The error that a failed request means.
pub(crate) fn transport(hive: &str, limit: Duration, error: reqwest::Error) -> ClientError {
    if let Some(refusal) = certificate::refusal(hive, &error) {
        return refusal;
    }
    let hive = hive.to_owned();
    if error.is_connect() || error.is_builder() {
        let source = Box::new(error.without_url());
        ClientError::Unreachable { hive, source }
    } else if error.is_timeout() {
        ClientError::TimedOut { hive, limit }
    } else {
        let source = Box::new(error.without_url());
        ClientError::AnswerLost { hive, source }
    }
}

/// The error of an answer that is not a hive's.
pub(crate) fn protocol(hive: &str, detail: String) -> ClientError {
    ClientError::Protocol {
        hive: hive.to_owned(),
        detail,
    }
}
