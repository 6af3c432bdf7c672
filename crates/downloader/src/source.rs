//! Where the bytes come from: the seam that a Hub, a mirror or a neighbour hive implements.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::ops::Range;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;

use crate::RetryCause;

/// The bytes of exactly the range that was asked for, in order. An item that is an error ends the stream.
pub type ByteStream = Pin<Box<dyn Stream<Item = Result<Bytes, SourceError>> + Send>>;

/// Opens ranges of one remote file.
pub trait Source: Send + Sync {
    /// Opens `range` of the file as a checked stream: the answer is for this file and begins at `range.start`.
    ///
    /// The source resolves, follows redirects, renews what has expired, and limits how long a connection and the
    /// headers may take. It does not retry: [`download`](crate::download()) does, and says in `reason` why it asks.
    /// Dropping the future or the stream closes the connection.
    fn open(
        &self,
        range: Range<u64>,
        reason: OpenReason,
    ) -> impl Future<Output = Result<ByteStream, SourceError>> + Send;

    /// Whether the source can open any range. One that finds out that it cannot says so from then on: it is asked
    /// again for the whole file on one connection, and what is here already is skipped.
    fn serves_ranges(&self) -> bool {
        true
    }
}

/// Why a range is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenReason {
    /// For the first time.
    First,
    /// Again, because the try before ended early.
    Retry {
        /// What ended it.
        after: RetryCause,
    },
}

/// Why a range could not be opened, or its stream broke off.
#[derive(Debug, thiserror::Error)]
#[error("{kind}: {detail}")]
pub struct SourceError {
    /// What decides whether to try again.
    pub kind: SourceErrorKind,
    /// How long the server asks to wait before the next try.
    pub retry_after: Option<Duration>,
    /// What happened to what, for a person, without secrets.
    pub detail: String,
    /// The error below, where there is one.
    #[source]
    pub source: Option<Box<dyn Error + Send + Sync>>,
}

impl SourceError {
    /// An error of this kind with nothing below it.
    pub fn new(kind: SourceErrorKind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            retry_after: None,
            detail: detail.into(),
            source: None,
        }
    }

    /// Says how long the server asks to wait.
    #[must_use]
    pub fn with_retry_after(mut self, retry_after: Duration) -> Self {
        self.retry_after = Some(retry_after);
        self
    }

    /// Keeps the error below.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }
}

/// The kinds of failure of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SourceErrorKind {
    /// The name could not be looked up.
    Dns,
    /// No connection, or it was cut while it was set up, TLS included.
    Connect,
    /// The certificate is not accepted.
    Tls,
    /// The headers did not come in time.
    HeadersTimeout,
    /// An HTTP status that no other kind names.
    Status(u16),
    /// The server asks to slow down (429).
    RateLimited,
    /// The account has no access, also after the source renewed what it could.
    Unauthorized,
    /// There is no such file, revision or repository.
    NotFound,
    /// The file is another one now: its pinned identity differs.
    Changed,
    /// An answer that makes no sense and was not used: another range, an encoding, an error page.
    BadUpstream,
    /// The redirects do not end or lead where they must not.
    TooManyRedirects,
    /// The proxy refused or is down.
    Proxy,
    /// The body broke off.
    Cut,
}

impl fmt::Display for SourceErrorKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Dns => "name look-up failed",
            Self::Connect => "connection failed",
            Self::Tls => "certificate not accepted",
            Self::HeadersTimeout => "no answer in time",
            Self::Status(status) => return write!(formatter, "HTTP status {status}"),
            Self::RateLimited => "rate-limited",
            Self::Unauthorized => "no access",
            Self::NotFound => "not found",
            Self::Changed => "the file changed",
            Self::BadUpstream => "an answer that makes no sense",
            Self::TooManyRedirects => "too many redirects",
            Self::Proxy => "proxy error",
            Self::Cut => "connection cut",
        })
    }
}
