//! What one answer tells about the way to a hive: how long it took, what time it is there, which certificate came.

use std::time::Duration;

use hive_api::Fingerprint;
use http::header::DATE;
use jiff::{SignedDuration, Timestamp, fmt::rfc2822};
use reqwest::tls::TlsInfo;
use x509_parser::prelude::{FromDer, X509Certificate};

/// `Date` has whole seconds: the time it was written at is half a second later, give or take as much.
const HALF_A_SECOND: SignedDuration = SignedDuration::from_millis(500);

/// What an answer told besides its content.
#[derive(Clone, Debug)]
pub struct Contact {
    /// From the question to the head of its answer; a new connection is part of it.
    pub round_trip: Duration,
    /// How far the clock there is ahead of ours, negative where it is behind, to a second and half the round trip;
    /// `None` where the answer had no readable `Date` (RFC 9110, section 6.6.1).
    pub clock_ahead: Option<SignedDuration>,
    /// The certificate that was shown; `None` without TLS.
    pub certificate: Option<ShownCertificate>,
}

/// A certificate that a hive, or a proxy before it, has shown and that was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownCertificate {
    /// What a client pins.
    pub fingerprint: Fingerprint,
    /// When it ends, where that can be read.
    pub not_after: Option<Timestamp>,
}

impl Contact {
    pub(crate) fn of(response: &reqwest::Response, round_trip: Duration) -> Self {
        let date = response.headers().get(DATE);
        let date = date.and_then(|date| date.to_str().ok());
        let tls = response.extensions().get::<TlsInfo>();
        let certificate = tls.and_then(TlsInfo::peer_certificate);
        Self {
            round_trip,
            clock_ahead: date.and_then(|date| ahead(date, Timestamp::now(), round_trip)),
            certificate: certificate.map(|der| ShownCertificate {
                fingerprint: Fingerprint::of_certificate(der),
                not_after: not_after(der),
            }),
        }
    }
}

/// How far the clock that wrote this date is ahead of the one that says `now`, when the answer took `round_trip`.
fn ahead(date: &str, now: Timestamp, round_trip: Duration) -> Option<SignedDuration> {
    let there = rfc2822::parse(date).ok()?.timestamp();
    let half = SignedDuration::try_from(round_trip / 2).ok()?;
    Some(there.duration_since(now) + HALF_A_SECOND + half)
}

fn not_after(der: &[u8]) -> Option<Timestamp> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    Timestamp::from_second(certificate.validity().not_after.timestamp()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_there_is_told_from_a_date_and_half_the_round_trip() {
        let now: Timestamp = "1994-11-06T08:50:37Z".parse().unwrap();
        let took = Duration::from_secs(2);
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        assert_eq!(ahead(date, now, took).unwrap().as_millis(), -58_500);
        assert_eq!(ahead("yesterday", now, took), None);
    }
}
