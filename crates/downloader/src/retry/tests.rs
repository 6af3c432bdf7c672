//! The table of what is transient, and the arithmetic of the back-off.

use super::*;

const KINDS: &[(SourceErrorKind, Persistence)] = &[
    (SourceErrorKind::Dns, Persistence::Full),
    (SourceErrorKind::Connect, Persistence::Full),
    (SourceErrorKind::Tls, Persistence::Never),
    (SourceErrorKind::HeadersTimeout, Persistence::Full),
    (SourceErrorKind::RateLimited, Persistence::Full),
    (SourceErrorKind::Unauthorized, Persistence::Never),
    (SourceErrorKind::NotFound, Persistence::Never),
    (SourceErrorKind::Changed, Persistence::Never),
    (SourceErrorKind::BadUpstream, Persistence::Few),
    (SourceErrorKind::TooManyRedirects, Persistence::Never),
    (SourceErrorKind::Proxy, Persistence::Full),
    (SourceErrorKind::Cut, Persistence::Full),
];

#[test]
fn every_kind_of_failure_is_tried_again_as_the_table_says() {
    for (kind, expected) in KINDS {
        assert_eq!(persistence(*kind), *expected, "{kind}");
    }
}

#[test]
fn every_status_is_tried_again_as_the_table_says() {
    for status in 0..=u16::MAX {
        let expected = match status {
            401 | 403 | 412 | 416 => Persistence::Few,
            408 | 425 | 429 | 500 | 502..=504 | 506..=599 => Persistence::Full,
            _ => Persistence::Never,
        };
        assert_eq!(
            persistence(SourceErrorKind::Status(status)),
            expected,
            "{status}"
        );
    }
}

#[test]
fn the_wait_doubles_with_every_try_up_to_a_minute() {
    let limits = Limits::default();
    let mut budget = RetryBudget::new(&limits);
    let seconds: Vec<_> = (0..7)
        .map(|_| {
            let failure = Failure::Stalled(Stall::NoBytes(Duration::from_secs(30)));
            budget.failed(failure, 0, 1.0).unwrap().wait.as_secs()
        })
        .collect();
    assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 60]);
}

#[test]
fn the_wait_is_spread_over_the_whole_step() {
    let limits = Limits::default();
    for (chance, milliseconds) in [(0.0, 0), (0.25, 250), (1.0, 1000)] {
        let failure = Failure::Source(SourceError::new(SourceErrorKind::Cut, ""));
        let notice = RetryBudget::new(&limits)
            .failed(failure, 0, chance)
            .unwrap();
        assert_eq!(notice.wait, Duration::from_millis(milliseconds));
    }
}

#[test]
fn an_answer_that_was_refused_is_asked_for_three_times() {
    let limits = Limits::default();
    let mut budget = RetryBudget::new(&limits);
    let refused = || Failure::Source(SourceError::new(SourceErrorKind::BadUpstream, ""));
    assert_eq!(budget.failed(refused(), 0, 0.0).unwrap().tries, 3);
    assert!(budget.failed(refused(), 0, 0.0).is_ok());
    let error = budget.failed(refused(), 0, 0.0).unwrap_err();
    assert!(matches!(error, DownloadError::Source { tries: 3, .. }));
}
