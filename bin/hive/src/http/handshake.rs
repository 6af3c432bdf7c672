//! The first bytes of a connection to an address that speaks TLS: a handshake, or plain HTTP that is told so.

use axum::{Router, middleware, response::IntoResponse};
use hive_api::{Problem, ProblemCode};
use http::{HeaderValue, header};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::{problems::Refusal, request};
use crate::tls::Tls;

/// The first byte of every handshake (RFC 8446, section 5.1: a record's content type); no HTTP request begins so.
const HANDSHAKE: u8 = 22;

/// What a connection turned out to be.
pub(super) enum Greeted {
    /// TLS, with the handshake done.
    Tls(Box<TlsStream<TcpStream>>),
    /// Something in the clear, which is answered by [`https_required`].
    Plain(TcpStream),
}

/// Waits for the first byte, and for the whole handshake if it is one's. The caller limits the time; `None` if the peer
/// left or does not know how to speak TLS with us.
pub(super) async fn greet(stream: TcpStream, tls: &Tls) -> Option<Greeted> {
    let mut first = [0];
    match stream.peek(&mut first).await {
        Ok(1) if first[0] == HANDSHAKE => {}
        Ok(1) => return Some(Greeted::Plain(stream)),
        Ok(_) | Err(_) => return None,
    }
    match tls.acceptor().accept(stream).await {
        Ok(stream) => Some(Greeted::Tls(Box::new(stream))),
        Err(error) => {
            tracing::debug!(%error, "a TLS handshake failed");
            None
        }
    }
}

/// Answers every request with the scheme that it lacks: a dead line would tell nobody what is wrong.
pub(super) fn https_required() -> Router {
    let answer = async || {
        let detail = "this address speaks TLS, and the request came in plain HTTP";
        let problem = Problem::new(ProblemCode::HttpsRequired, detail)
            .with_hint("write https:// instead of http://");
        let close = [(header::CONNECTION, HeaderValue::from_static("close"))];
        (close, Refusal::from(problem)).into_response()
    };
    Router::new()
        .fallback(answer)
        .layer(middleware::from_fn(request::answer))
}
