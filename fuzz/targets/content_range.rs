//! An answer that is taken for a range is of exactly that range, inside the file, and as it is.
//!
//! The first line is `status start end size`, the others are headers.
#![no_main]

use std::ops::Range;

use fuzz::{headers, reader};
use libfuzzer_sys::fuzz_target;
use reqwest::Response;

/// RFC 9110, 14.4, read in another way than the code under test reads it.
fn parsed(content_range: &str) -> Option<(Range<u64>, u64)> {
    let (range, size) = content_range
        .trim()
        .strip_prefix("bytes ")?
        .split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let last: u64 = last.parse().ok()?;
    Some((
        first.parse().ok()?..last.checked_add(1)?,
        size.parse().ok()?,
    ))
}

fuzz_target!(|text: &str| {
    let mut lines = text.lines();
    let numbers = lines.next().unwrap_or_default().split(' ');
    let numbers: Option<Vec<u64>> = numbers.map(|number| number.parse().ok()).collect();
    let Some([status, start, end, size_bytes]) = numbers.as_deref() else {
        return;
    };
    if start >= end || end > size_bytes {
        return;
    }
    let mut head = http::Response::new("");
    let status = u16::try_from(*status)
        .ok()
        .and_then(|status| status.try_into().ok());
    *head.status_mut() = status.unwrap_or_default();
    *head.headers_mut() = headers(lines);
    let response = Response::from(head);
    let range = *start..*end;
    if !reader().is_range(&response, &range, *size_bytes) {
        return;
    }
    let headers = response.headers();
    for encoding in headers.get_all("content-encoding") {
        assert_eq!(encoding, "identity");
    }
    match response.status().as_u16() {
        200 => assert_eq!(range, 0..*size_bytes),
        206 => {
            assert!(headers.contains_key("content-range"));
            for value in headers.get_all("content-range") {
                let value = value.to_str().expect("what is accepted is text");
                assert_eq!(parsed(value), Some((range.clone(), *size_bytes)));
            }
        }
        other => panic!("{other} was taken for a range"),
    }
});
