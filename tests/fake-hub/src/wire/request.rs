//! One request as it came over the wire.

use std::ops::Range;

use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::decode;

const MAX_HEAD_BYTES: usize = 64 * 1024;
const MAX_BODY_BYTES: usize = 16 * 1024 * 1024;

/// A request whose head is understood and whose body is whole.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// The path as sent, still percent-encoded.
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) keep_alive: bool,
}

/// What part of a file a request is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Whole,
    Part(Range<u64>),
    Unsatisfiable,
}

/// How the wait for a request ended.
pub(crate) enum Incoming {
    Request(Request),
    /// The client closed or broke the connection.
    Closed,
    Malformed,
}

impl Request {
    /// The first value of a header; names are compared without case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The first value of a query parameter.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        url::form_urlencoded::parse(self.query.as_bytes())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }

    pub(crate) fn is_head(&self) -> bool {
        self.method == "HEAD"
    }

    /// Path and query as sent.
    pub(crate) fn target(&self) -> String {
        if self.query.is_empty() {
            self.path.clone()
        } else {
            format!("{}?{}", self.path, self.query)
        }
    }

    /// The decoded segments of the path.
    pub(crate) fn segments(&self) -> Vec<String> {
        self.path
            .trim_start_matches('/')
            .split('/')
            .map(decode)
            .collect()
    }

    /// The one byte range that is asked for, within a file of `size_bytes` (RFC 9110, section 14.1.2).
    /// Several ranges, or one that is malformed, count as none.
    pub(crate) fn range(&self, size_bytes: u64) -> Asked {
        let header = self
            .header("range")
            .and_then(|value| value.strip_prefix("bytes="));
        match header.and_then(|range| range_within(range, size_bytes)) {
            None => Asked::Whole,
            Some(range) if range.is_empty() => Asked::Unsatisfiable,
            Some(range) => Asked::Part(range),
        }
    }
}

fn range_within(range: &str, size_bytes: u64) -> Option<Range<u64>> {
    let (first, last) = range.split_once('-')?;
    Some(match (first.trim(), last.trim()) {
        ("", last) => size_bytes.saturating_sub(last.parse().ok()?)..size_bytes,
        (first, "") => first.parse().ok()?..size_bytes,
        (first, last) => {
            let end = last.parse::<u64>().ok()?.saturating_add(1);
            first.parse().ok()?..end.min(size_bytes)
        }
    })
}

/// Reads the next request; `carry` holds what was read past the previous one.
pub(crate) async fn read(reader: &mut (impl AsyncRead + Unpin), carry: &mut Vec<u8>) -> Incoming {
    let head_length = loop {
        if let Some(at) = carry.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        if carry.len() > MAX_HEAD_BYTES {
            return Incoming::Malformed;
        }
        if !read_more(reader, carry).await {
            return Incoming::Closed;
        }
    };
    let head: Vec<u8> = carry.drain(..head_length).collect();
    let Some(mut request) = parse(&String::from_utf8_lossy(&head)) else {
        return Incoming::Malformed;
    };
    let length = request
        .header("content-length")
        .map_or(Ok(0), str::parse::<usize>);
    let Some(length) = length.ok().filter(|length| *length <= MAX_BODY_BYTES) else {
        return Incoming::Malformed;
    };
    while carry.len() < length {
        if !read_more(reader, carry).await {
            return Incoming::Closed;
        }
    }
    request.body = carry.drain(..length).collect();
    Incoming::Request(request)
}

async fn read_more(reader: &mut (impl AsyncRead + Unpin), carry: &mut Vec<u8>) -> bool {
    matches!(reader.read_buf(carry).await, Ok(count) if count > 0)
}

fn parse(head: &str) -> Option<Request> {
    let mut lines = head.trim_end().split("\r\n");
    let mut start = lines.next()?.split(' ');
    let (method, target, version) = (start.next()?, start.next()?, start.next()?);
    let headers = lines
        .map(|line| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_ascii_lowercase(), value.trim().to_owned()))
        })
        .collect::<Option<Vec<_>>>()?;
    // A proxy is sent the whole URL.
    let target = match target.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]),
        None => target,
    };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut request = Request {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers,
        body: Vec::new(),
        keep_alive: version == "HTTP/1.1",
    };
    if request
        .header("connection")
        .is_some_and(|value| value.eq_ignore_ascii_case("close"))
    {
        request.keep_alive = false;
    }
    Some(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_range(range: &str) -> Request {
        parse(&format!(
            "GET /a?b=c%20d HTTP/1.1\r\nHost: x\r\nRange: {range}\r\n\r\n"
        ))
        .unwrap()
    }

    #[test]
    fn ranges_are_read_as_the_rfc_says() {
        let cases = [
            ("bytes=0-0", Asked::Part(0..1)),
            ("bytes=5-", Asked::Part(5..10)),
            ("bytes=5-99", Asked::Part(5..10)),
            ("bytes=-3", Asked::Part(7..10)),
            ("bytes=10-", Asked::Unsatisfiable),
            ("bytes=0-1,4-5", Asked::Whole),
            ("lines=0-1", Asked::Whole),
        ];
        for (header, expected) in cases {
            assert_eq!(with_range(header).range(10), expected, "{header}");
        }
    }

    #[test]
    fn a_parameter_is_decoded() {
        assert_eq!(
            with_range("bytes=0-").parameter("b").as_deref(),
            Some("c d")
        );
    }
}
