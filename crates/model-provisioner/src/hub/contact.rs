//! What an answer of the Hub tells besides its content: how long it took, and what time it is there.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp, fmt::rfc2822};
use reqwest::header::{AGE, DATE, HeaderMap};

use super::failure;

/// An answer of the Hub, whatever it said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HubContact {
    /// From the question to the head of its answer; a new connection is part of it.
    pub round_trip: Duration,
    /// How far the Hub's clock is ahead of this machine's, negative where it is behind, to a second and the round trip;
    /// `None` where the answer has no readable `Date`, or one that a cache has kept (RFC 9110, 6.6.1; RFC 9111, 5.1).
    pub clock_ahead: Option<SignedDuration>,
}

impl HubContact {
    pub(super) fn of(headers: &HeaderMap, round_trip: Duration, now: Timestamp) -> Self {
        let date = failure::text(headers, DATE.as_str()).filter(|_| !headers.contains_key(AGE));
        let date = date.and_then(|date| rfc2822::parse(date).ok());
        Self {
            round_trip,
            clock_ahead: date.map(|date| date.timestamp().duration_since(now)),
        }
    }
}
