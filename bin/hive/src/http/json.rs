//! JSON bodies: of the right type, bounded in size and in time, then read strictly.

pub(super) mod strict;

use axum::{body::Body, extract::Request};
use bytes::Bytes;
use hive_api::ProblemCode;
use http::{HeaderMap, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::time::{Duration, timeout};

use super::problems::Refusal;

/// No request of ours is longer.
const LONGEST_BODY_BYTES: usize = 64 * 1024;

/// Receives a JSON body whole.
pub(super) async fn receive(request: Request, within: Duration) -> Result<Bytes, Refusal> {
    let (parts, body) = request.into_parts();
    if announced_bytes(&parts.headers).is_some_and(|bytes| bytes > LONGEST_BODY_BYTES as u64) {
        return Err(too_long());
    }
    if !is_plain_json(&parts.headers) {
        let detail = "the body must be `application/json` without a content encoding";
        return Err(Refusal::new(ProblemCode::UnsupportedMediaType, detail));
    }
    match timeout(
        within,
        Limited::<Body>::new(body, LONGEST_BODY_BYTES).collect(),
    )
    .await
    {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_long()),
        Ok(Err(_)) => Err(Refusal::new(
            ProblemCode::MalformedJson,
            "the body ended before it was whole",
        )),
        Err(_) => Err(Refusal::new(
            ProblemCode::RequestTimeout,
            format!("the body did not come within {} s", within.as_secs()),
        )),
    }
}

fn announced_bytes(headers: &HeaderMap) -> Option<u64> {
    let length = headers.get(header::CONTENT_LENGTH)?;
    length.to_str().ok()?.parse().ok()
}

fn too_long() -> Refusal {
    Refusal::new(
        ProblemCode::PayloadTooLarge,
        format!("the body is longer than {LONGEST_BODY_BYTES} bytes"),
    )
}

fn is_plain_json(headers: &HeaderMap) -> bool {
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .map(http::HeaderValue::as_bytes);
    let essence = content_type.and_then(|value| value.split(|&byte| byte == b';').next());
    essence.is_some_and(|essence| {
        essence
            .trim_ascii()
            .eq_ignore_ascii_case(b"application/json")
    }) && !headers.contains_key(header::CONTENT_ENCODING)
}
