//! The table of what is transient, and the arithmetic of the back-off.

use super::*;

const KINDS: &[(SourceErrorKind, Persistence)] = &[
    (SourceErrorKind::Dns, Persistence::Network),
    (SourceErrorKind::Connect, Persistence::Network),
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
        assert_eq!(kind.persistence(), *expected, "{kind}");
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
            SourceErrorKind::Status(status).persistence(),
            expected,
            "{status}"
        );
    }
}

/// Lets a try that began now end like this.
fn fail(
    budget: &mut RetryBudget<'_>,
    failure: Failure,
    in_a_row: u32,
    chance: f64,
) -> Result<RetryNotice, DownloadError> {
    let failed = Failed {
        failure,
        round: budget.begin(),
        in_a_row,
        bytes: 0,
        now: Instant::now(),
        chance,
    };
    budget.failed(failed).map(|retry| retry.notice)
}

fn source(kind: SourceErrorKind) -> Failure {
    Failure::Source(SourceError::new(kind, ""))
}

#[test]
fn d9_the_wait_doubles_with_every_try_up_to_a_minute() {
    let limits = Limits::default();
    let mut budget = RetryBudget::new(&limits, 0);
    let seconds: Vec<_> = (1..=7)
        .map(|in_a_row| {
            let failure = Failure::Stalled(Stall::NoBytes(Duration::from_secs(30)));
            let notice = fail(&mut budget, failure, in_a_row, 1.0).unwrap();
            notice.wait.as_secs()
        })
        .collect();
    assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 60]);
}

#[test]
fn the_wait_is_spread_over_the_whole_step() {
    let limits = Limits::default();
    for (chance, milliseconds) in [(0.0, 0), (0.25, 250), (1.0, 1000)] {
        let mut budget = RetryBudget::new(&limits, 0);
        let notice = fail(&mut budget, source(SourceErrorKind::Cut), 1, chance).unwrap();
        assert_eq!(notice.wait, Duration::from_millis(milliseconds));
    }
}

#[test]
fn an_answer_that_was_refused_is_asked_for_three_times() {
    let limits = Limits::default();
    let mut budget = RetryBudget::new(&limits, 0);
    let refused = || source(SourceErrorKind::BadUpstream);
    let notice = fail(&mut budget, refused(), 1, 0.0).unwrap();
    assert_eq!(notice.tries, Some(3));
    assert!(fail(&mut budget, refused(), 2, 0.0).is_ok());
    let error = fail(&mut budget, refused(), 3, 0.0).unwrap_err();
    assert!(matches!(error, DownloadError::Source { tries: 3, .. }));
}

#[test]
fn sixteen_ranges_that_fail_together_are_one_failure_and_told_once() {
    let limits = Limits::default();
    let mut budget = RetryBudget::new(&limits, 0);
    for round in 1..=7 {
        let begun = budget.begin();
        for range in 0..16 {
            let failed = Failed {
                failure: source(SourceErrorKind::Cut),
                round: begun,
                in_a_row: round,
                bytes: 0,
                now: Instant::now(),
                chance: 0.0,
            };
            let retry = budget.failed(failed).unwrap();
            assert_eq!(retry.notice.try_number, round + 1);
            assert_eq!(retry.is_news, range == 0);
        }
    }
    assert!(fail(&mut budget, source(SourceErrorKind::Cut), 8, 0.0).is_err());
}

#[test]
fn a_network_that_is_gone_is_waited_for_without_counting_and_not_for_ever() {
    let limits = Limits::default();
    let mut budget = RetryBudget::new(&limits, 0);
    let begun = Instant::now();
    let mut lose = |after: Duration, bytes| {
        let failed = Failed {
            failure: source(SourceErrorKind::Dns),
            round: budget.begin(),
            in_a_row: 50,
            bytes,
            now: begun + after,
            chance: 1.0,
        };
        budget.failed(failed).map(|retry| retry.notice)
    };
    let day = Duration::from_hours(24);
    let minute = Duration::from_mins(1);
    let almost = Duration::from_mins(24 * 60 - 1);
    for (after, wait_seconds) in [(Duration::ZERO, 1), (minute, 2), (minute * 2, 4)] {
        let notice = lose(after, 0).unwrap();
        let wait = Duration::from_secs(wait_seconds);
        assert_eq!((notice.tries, notice.wait), (None, wait));
    }
    for minutes in 3..60 {
        assert!(lose(minute * minutes, 0).unwrap().wait <= minute);
    }
    assert_eq!(lose(almost, 0).unwrap().wait, minute);
    assert!(lose(almost, 1).is_ok(), "progress renews the patience");
    assert!(lose(day, 1).is_ok());
    assert!(lose(day * 2, 1).is_err());
}
