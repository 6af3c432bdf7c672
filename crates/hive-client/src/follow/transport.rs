//! eventsource-client's requests over our own HTTP client, with a bound on the bytes of one frame.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use http::{Request, Response};
use launchdarkly_sdk_transport::{ByteStream, HttpTransport, ResponseFuture, TransportError};

/// The bytes that may come without one whole frame among them.
pub(crate) const FRAME_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A transport of one connection.
#[derive(Clone)]
pub(crate) struct ReqwestTransport {
    http: reqwest::Client,
    unparsed: UnparsedBytes,
}

/// Bytes handed to the parser since it last gave a frame. The parser itself has no bound.
#[derive(Clone, Debug, Default)]
pub(crate) struct UnparsedBytes(Arc<AtomicUsize>);

impl UnparsedBytes {
    /// A frame came out.
    pub(crate) fn reset(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    /// Counts a chunk; true when the frame has become too large.
    fn exceed_with(&self, chunk: usize) -> bool {
        self.0.fetch_add(chunk, Ordering::Relaxed) + chunk > FRAME_BYTES_MAX
    }
}

/// A frame exceeds its bound.
#[derive(Debug, thiserror::Error)]
#[error("a frame of the event stream is larger than {FRAME_BYTES_MAX} bytes")]
struct FrameTooLarge;

impl ReqwestTransport {
    pub(crate) fn new(http: reqwest::Client, unparsed: UnparsedBytes) -> Self {
        Self { http, unparsed }
    }
}

impl HttpTransport for ReqwestTransport {
    fn request(&self, request: Request<Option<Bytes>>) -> ResponseFuture {
        let http = self.http.clone();
        let unparsed = self.unparsed.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let mut builder = http
                .request(parts.method, parts.uri.to_string())
                .headers(parts.headers);
            if let Some(body) = body {
                builder = builder.body(body);
            }
            let response = builder.send().await.map_err(without_url)?;
            let mut answer = Response::builder().status(response.status());
            if let Some(headers) = answer.headers_mut() {
                headers.clone_from(response.headers());
            }
            let chunks = response.bytes_stream().map_err(without_url);
            let bounded: ByteStream = Box::pin(chunks.map(move |chunk| {
                let chunk = chunk?;
                if unparsed.exceed_with(chunk.len()) {
                    return Err(TransportError::new(FrameTooLarge));
                }
                Ok(chunk)
            }));
            answer.body(bounded).map_err(TransportError::new)
        })
    }
}

/// The address is told once, by whoever shows the error.
fn without_url(error: reqwest::Error) -> TransportError {
    TransportError::new(error.without_url())
}
