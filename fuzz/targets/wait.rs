//! `Retry-After` and `RateLimit`: a number is that number, a date is never waited for longer when it is nearer, and
//! `Retry-After` wins.
#![no_main]

use std::time::Duration;

use fuzz::headers;
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use model_provisioner::fuzzing::wait;

fuzz_target!(|text: &str| {
    let mut headers = headers(text.lines());
    let (now, later) = (Timestamp::UNIX_EPOCH, Timestamp::constant(1_800_000_000, 0));
    let asked = wait(&headers, now);
    match asked {
        Some(asked) => {
            assert!(wait(&headers, later).is_some_and(|nearer| nearer <= asked));
        }
        None => assert_eq!(wait(&headers, later), None),
    }
    let retry_after = headers
        .get("retry-after")
        .and_then(|value| value.to_str().ok());
    if let Some(seconds) = retry_after.and_then(|text| text.trim().parse().ok()) {
        assert_eq!(asked, Some(Duration::from_secs(seconds)));
        let limit = http::HeaderValue::from_static("\"api\";r=0;t=7");
        headers.insert("ratelimit", limit);
        assert_eq!(wait(&headers, now), asked);
    }
    headers.remove("retry-after");
    headers.remove("ratelimit");
    assert_eq!(wait(&headers, now), None);
});
