//! What can go wrong with an answer.

use std::time::Duration;

use crate::wire::Answer;

/// One thing that goes wrong. Byte counts are of this answer's body unless said otherwise.
#[derive(Clone, Debug)]
pub enum Fault {
    /// No answer at all, on an open connection, until the script is released.
    Hold,
    /// The answer comes so much later.
    Delay(Duration),
    /// The connection is closed in good order without any answer.
    HangUp,
    /// An error page of a gateway with this status.
    Status(u16),
    /// 429 as the Hub sends it: the `RateLimit` headers, and `Retry-After` where given.
    TooManyRequests {
        /// When the quota is full again, for `RateLimit`.
        window_ends_in_seconds: u64,
        /// The value of `Retry-After`: seconds or an HTTP date.
        retry_after: Option<String>,
    },
    /// The CDN's 403 for a signed URL that is no longer valid.
    SignedUrlExpired,
    /// Any answer, word for word.
    Respond(Reply),
    /// The connection is closed in good order after so many body bytes; the headers promised more.
    CutAfter(u64),
    /// The connection is reset after so many body bytes.
    ResetAfter(u64),
    /// After so many body bytes nothing more comes, on an open connection, until the script is released.
    StallAfter(u64),
    /// The body comes at this rate.
    Drip {
        /// The rate of each connection.
        bytes_per_second: u64,
    },
    /// The byte at this offset of the file is inverted, in every body that covers it.
    WrongByteAt(u64),
    /// The body lacks so many bytes at its end, and `Content-Length` agrees with it.
    ShortBody {
        /// How many bytes are missing.
        missing_bytes: u64,
    },
    /// The body goes on for so many bytes, and `Content-Length` agrees with it.
    LongBody {
        /// How many bytes are too many.
        surplus_bytes: u64,
    },
    /// No `Content-Length`: the body ends where the connection ends.
    CloseDelimited,
    /// `Range` is ignored: 200 and the whole file.
    IgnoreRange,
    /// A request without `Range` is refused with 400, as the CDN does for huge files.
    RefuseWhole,
    /// The body comes compressed although nobody asked.
    Gzip,
    /// A header has another value: `Content-Range`, `Content-Length`, `X-Linked-Etag`, `Location`…
    SetHeader(&'static str, String),
    /// A header is missing.
    RemoveHeader(&'static str),
}

/// An answer of the test's own, for [`Fault::Respond`].
#[derive(Clone, Debug)]
pub struct Reply(pub(crate) Answer);

impl Reply {
    /// An answer with this status and an empty body.
    pub fn new(status: u16) -> Self {
        Self(Answer::new(status, ""))
    }

    /// Adds or replaces a header.
    #[must_use]
    pub fn header(self, name: &str, value: &str) -> Self {
        Self(self.0.with(name, value))
    }

    /// Sets the body; `Content-Length` follows from it unless a header says otherwise.
    #[must_use]
    pub fn body(self, body: &str) -> Self {
        let Answer {
            status, headers, ..
        } = self.0;
        Self(Answer {
            headers,
            ..Answer::new(status, body)
        })
    }
}

impl Fault {
    /// The answer that takes the place of the right one, if this fault has one.
    pub(super) fn replacement(&self, ranged: bool) -> Option<Answer> {
        match self {
            Self::Status(status) => Some(gateway_error(*status)),
            Self::TooManyRequests {
                window_ends_in_seconds,
                retry_after,
            } => Some(too_many_requests(
                *window_ends_in_seconds,
                retry_after.as_deref(),
            )),
            Self::SignedUrlExpired => Some(Answer::access_denied()),
            Self::Respond(reply) => Some(reply.0.clone()),
            Self::RefuseWhole if !ranged => Some(Answer::new(400, "Bad Request")),
            _ => None,
        }
    }
}

fn gateway_error(status: u16) -> Answer {
    let page = format!("<html><head><title>{status}</title></head><body>{status}</body></html>\n");
    Answer::new(status, page).with("Content-Type", "text/html")
}

/// The headers are those of the Hub's documentation (hub-docs, rate-limits.md).
fn too_many_requests(window_ends_in_seconds: u64, retry_after: Option<&str>) -> Answer {
    let body = r#"{"error":"We had to rate limit you. Please retry later."}"#;
    let mut answer = Answer::new(429, body)
        .with("Content-Type", "application/json; charset=utf-8")
        .with(
            "RateLimit",
            format!("\"resolvers\";r=0;t={window_ends_in_seconds}"),
        )
        .with(
            "RateLimit-Policy",
            "\"fixed window\";\"resolvers\";q=5000;w=300",
        );
    answer.set("Retry-After", retry_after.map(str::to_owned));
    answer
}
