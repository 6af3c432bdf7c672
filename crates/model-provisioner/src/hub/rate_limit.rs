//! How long a server asks to wait: `Retry-After` (RFC 9110, 10.2.3) and the Hub's `RateLimit`.

use std::time::Duration;

use jiff::{Timestamp, fmt::rfc2822};
use reqwest::header::{HeaderMap, RETRY_AFTER};

/// The wait that some headers ask for; `Retry-After` wins, in seconds or as a date.
pub(crate) fn wait(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let retry_after = headers
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok());
    retry_after
        .and_then(|text| from_retry_after(text.trim(), now))
        .or_else(|| {
            let text = headers.get("ratelimit")?.to_str().ok()?;
            from_rate_limit(text)
        })
}

fn from_retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    let seconds = date.as_second().saturating_sub(now.as_second());
    Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
}

/// `"resolvers";r=0;t=55`: nothing remains, and the window ends in 55 seconds. One more is waited, as its own
/// clients do.
fn from_rate_limit(text: &str) -> Option<Duration> {
    let parameter = |name: &str| {
        text.split(';')
            .find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='))
            .and_then(|value| value.trim().parse::<u64>().ok())
    };
    match parameter("r") {
        Some(0) => Some(Duration::from_secs(parameter("t")?.saturating_add(1))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d10_both_forms_of_retry_after_and_the_hubs_own_header_are_understood() {
        let now: Timestamp = "2026-11-21T10:00:00Z".parse().unwrap();
        for (name, value, seconds) in [
            ("retry-after", "30", Some(30)),
            ("retry-after", "Sat, 21 Nov 2026 10:00:45 GMT", Some(45)),
            ("retry-after", "Sat, 21 Nov 2026 09:00:00 GMT", Some(0)),
            ("retry-after", "soon", None),
            ("ratelimit", "\"resolvers\";r=0;t=55", Some(56)),
            ("ratelimit", "\"resolvers\";r=12;t=55", None),
            ("ratelimit", "nonsense", None),
        ] {
            let headers: HeaderMap = [(name.parse().unwrap(), value.parse().unwrap())]
                .into_iter()
                .collect();
            assert_eq!(
                wait(&headers, now),
                seconds.map(Duration::from_secs),
                "{name}: {value}"
            );
        }
    }
}
