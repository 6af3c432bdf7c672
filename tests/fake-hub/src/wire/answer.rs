//! One answer before it is sent.

use std::fmt::Write as _;
use std::ops::Range;

use crate::content::Content;

/// Status, headers and body. `Content-Length` follows from the body unless a header gives another one.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Body,
    /// The body ends with the connection, as in HTTP/1.0.
    pub(crate) close_delimited: bool,
}

/// A part of a content.
#[derive(Clone, Debug)]
pub(crate) struct Body {
    pub(crate) content: Content,
    pub(crate) range: Range<u64>,
}

impl Body {
    pub(crate) fn whole(content: Content) -> Self {
        let range = 0..content.size_bytes();
        Self { content, range }
    }

    pub(crate) fn length(&self) -> u64 {
        self.range.end - self.range.start
    }
}

impl Answer {
    pub(crate) fn new(status: u16, content: impl Into<Content>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Body::whole(content.into()),
            close_delimited: false,
        }
    }

    pub(crate) fn json(value: &serde_json::Value) -> Self {
        Self::new(200, value.to_string()).with("Content-Type", "application/json; charset=utf-8")
    }

    #[must_use]
    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.set(name, Some(value.into()));
        self
    }

    /// Replaces a header, or removes it.
    pub(crate) fn set(&mut self, name: &str, value: Option<String>) {
        self.headers
            .retain(|(key, _)| !key.eq_ignore_ascii_case(name));
        self.headers
            .extend(value.map(|value| (name.to_owned(), value)));
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.headers
            .iter()
            .any(|(key, _)| key.eq_ignore_ascii_case(name))
    }

    /// 204 and 304 have neither a body nor a length (RFC 9110, section 8.6).
    pub(crate) fn is_bodyless(&self) -> bool {
        matches!(self.status, 204 | 304)
    }

    /// The status line and the headers; `length_bytes` is what `Content-Length` says if no header says otherwise.
    pub(crate) fn head(&self, length_bytes: u64, keep_alive: bool) -> String {
        let reason = http::StatusCode::from_u16(self.status)
            .ok()
            .and_then(|status| status.canonical_reason())
            .unwrap_or("Unknown");
        let mut head = format!("HTTP/1.1 {} {reason}\r\n", self.status);
        for (name, value) in &self.headers {
            // Writing to a String cannot fail.
            let _ = write!(head, "{name}: {value}\r\n");
        }
        if !self.close_delimited && !self.is_bodyless() && !self.has("content-length") {
            let _ = write!(head, "Content-Length: {length_bytes}\r\n");
        }
        if !keep_alive {
            head.push_str("Connection: close\r\n");
        }
        head.push_str("\r\n");
        head
    }
}
