//! The heads of requests as they came: hyper takes the `Content-Length` out of a head that has a `Transfer-Encoding` too,
//! so only the bytes still tell that two readers could have read two requests in it (RFC 9112, section 6.3).
//!
//! hyper is given no byte beyond the end of a head until it has understood it, so that the bytes of a head are known to be
//! its own. A body of known length is passed on as long as it is. What follows a chunked body is not told apart from it, so
//! its connection ends after it.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

use axum::response::Response;
use bytes::{Buf, BytesMut};
use http::{HeaderMap, HeaderValue, header};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes that are read at a time.
const READ_BYTES: usize = 8 * 1024;

/// How the body of a request is told from what follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// By its length, which may be zero.
    Length,
    /// By its chunks: nothing of this connection is read after it.
    Chunks,
    /// By both, which two readers may understand in two ways.
    Ambiguous,
}

impl Framing {
    /// Ends the connection with this response, where nothing can be read after its request.
    pub(super) fn close_if_last(self, mut response: Response) -> Response {
        if self != Self::Length {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
        }
        response
    }
}

/// The heads of one connection, shared by what reads them and what answers them.
#[derive(Clone, Debug, Default)]
pub(super) struct Heads(Arc<Mutex<Reading>>);

/// What the connection's next bytes are.
#[derive(Debug)]
enum Reading {
    /// Those of a head, of which so much has been read.
    Head(Vec<u8>),
    /// Those of a body with so many left, then a head.
    Body(u64),
    /// Nobody can tell.
    Rest,
}

impl Default for Reading {
    fn default() -> Self {
        Self::Head(Vec::new())
    }
}

impl Heads {
    /// Takes note of a head that hyper has understood, and says how its body ends.
    pub(super) fn understood(&self, headers: &HeaderMap) -> Framing {
        let mut reading = self.lock();
        if headers.contains_key(header::TRANSFER_ENCODING) {
            let before = std::mem::replace(&mut *reading, Reading::Rest);
            return match before {
                Reading::Head(head) if names_a_length(&head) => Framing::Ambiguous,
                Reading::Head(_) | Reading::Body(_) | Reading::Rest => Framing::Chunks,
            };
        }
        let length = headers.get(header::CONTENT_LENGTH);
        let length = length.and_then(|length| length.to_str().ok()?.trim().parse().ok());
        *reading = match length {
            None | Some(0) => Reading::default(),
            Some(length) => Reading::Body(length),
        };
        Framing::Length
    }

    fn lock(&self) -> MutexGuard<'_, Reading> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reading {
    /// How many of these bytes hyper may have now; takes note of them.
    fn pass(&mut self, bytes: &[u8]) -> usize {
        match self {
            Self::Head(head) => {
                for (at, &byte) in bytes.iter().enumerate() {
                    head.push(byte);
                    if byte == b'\n' && ends_with_empty_line(head) {
                        return at + 1;
                    }
                }
                bytes.len()
            }
            Self::Body(left) => {
                let passed =
                    usize::try_from(*left).map_or(bytes.len(), |left| left.min(bytes.len()));
                *left -= passed as u64;
                if *left == 0 {
                    *self = Self::default();
                }
                passed
            }
            Self::Rest => bytes.len(),
        }
    }
}

/// Whether a line of the head names a `Content-Length`.
fn names_a_length(head: &[u8]) -> bool {
    let name = header::CONTENT_LENGTH.as_str().as_bytes();
    head.split(|&byte| byte == b'\n')
        .filter_map(|line| line.get(..name.len()))
        .any(|start| start.eq_ignore_ascii_case(name))
}

/// Whether the last line is empty; a lone line feed ends a line too, as for hyper.
fn ends_with_empty_line(head: &[u8]) -> bool {
    let before = head.strip_suffix(b"\n").unwrap_or(head);
    before
        .strip_suffix(b"\r")
        .unwrap_or(before)
        .ends_with(b"\n")
}

/// A connection whose heads are read one by one.
#[derive(Debug)]
pub(super) struct HeadByHead<S> {
    stream: S,
    heads: Heads,
    /// What was read and hyper may not have yet.
    kept: BytesMut,
}

impl<S> HeadByHead<S> {
    pub(super) fn new(stream: S, heads: Heads) -> Self {
        Self {
            stream,
            heads,
            kept: BytesMut::new(),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for HeadByHead<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.kept.is_empty() {
            let mut read = [0; READ_BYTES];
            let mut read = ReadBuf::new(&mut read);
            ready!(Pin::new(&mut this.stream).poll_read(context, &mut read))?;
            this.kept.extend_from_slice(read.filled());
        }
        let most = buffer.remaining().min(this.kept.len());
        let passed = this.heads.lock().pass(&this.kept[..most]);
        buffer.put_slice(&this.kept[..passed]);
        this.kept.advance(passed);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for HeadByHead<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    /// What one read gives.
    async fn read(stream: &mut HeadByHead<&[u8]>) -> String {
        let mut bytes = vec![0; 4096];
        let length = stream.read(&mut bytes).await.unwrap();
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    }

    fn headers(name: http::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[tokio::test]
    async fn no_head_comes_with_bytes_of_the_next_one() {
        let (first, body, second) = ("GET / HTTP/1.1\r\nA: b\r\n\r\n", "12345", "POST /\n\n");
        let sent = format!("\r\n{second}{body}{first}{first}");
        let heads = Heads::default();
        let mut stream = HeadByHead::new(sent.as_bytes(), heads.clone());
        assert_eq!(read(&mut stream).await, format!("\r\n{second}"));
        let length = headers(header::CONTENT_LENGTH, "5");
        assert_eq!(heads.understood(&length), Framing::Length);
        assert_eq!(read(&mut stream).await, body);
        for _ in 0..2 {
            assert_eq!(read(&mut stream).await, first);
            assert_eq!(heads.understood(&HeaderMap::new()), Framing::Length);
        }
        assert_eq!(read(&mut stream).await, "");
    }

    #[tokio::test]
    async fn a_length_beside_chunks_is_seen_in_any_spelling_and_only_in_its_own_head() {
        let chunked = headers(header::TRANSFER_ENCODING, "chunked");
        for (head, framing) in [
            ("POST /\r\nContent-Length: 4\r\n\r\n", Framing::Ambiguous),
            ("POST /\ncONTENT-lENGTH:4\n\n", Framing::Ambiguous),
            ("POST /\r\nX: Content-Length: 4\r\n\r\n", Framing::Chunks),
        ] {
            let heads = Heads::default();
            let sent = format!("{head}0\r\n\r\nContent-Length: 1\r\n");
            let mut stream = HeadByHead::new(sent.as_bytes(), heads.clone());
            assert_eq!(read(&mut stream).await, head);
            assert_eq!(heads.understood(&chunked), framing, "{head}");
        }
    }
}
