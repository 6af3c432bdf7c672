//! Which limit holds, how exactly, and what ends a wait.

use std::pin::pin;

use futures_util::future::join_all;
use futures_util::{FutureExt, poll};
use tokio::time::{Instant, sleep};

use super::*;

const TEN_SECONDS: Duration = Duration::from_secs(10);

/// Limits under which only `limit` counts.
fn only(limit: &RateLimiter) -> (RateLimits, RateLimitGuard) {
    let limits = RateLimits::new(RateLimiter::new(None));
    let guard = limits.join(limit.clone());
    (limits, guard)
}

/// How many bytes connections get through in ten seconds, one connection for each of `limits`, in chunks of this size.
async fn through<'a>(limits: impl IntoIterator<Item = &'a RateLimits>, chunk: usize) -> u64 {
    let total = Mutex::new(0);
    let connection = async |limits: &RateLimits| loop {
        let mut left = chunk;
        while left > 0 {
            let piece = left.min(limits.piece_bytes());
            limits.pay(piece as u64).await;
            left -= piece;
            *total.lock().unwrap() += piece as u64;
        }
    };
    let all = join_all(limits.into_iter().map(connection));
    let _ = timeout(TEN_SECONDS, all).await;
    total.into_inner().unwrap()
}

#[track_caller]
fn assert_within_five_percent(bytes: u64, expected: u64) {
    assert!(
        bytes.abs_diff(expected) * 20 <= expected,
        "{bytes} of {expected}"
    );
}

#[tokio::test(start_paused = true)]
async fn over_ten_seconds_a_limit_holds_within_five_percent() {
    for rate in [1000, 100_000, 1_000_000, 20_000_000, 1_000_000_000] {
        for connections in [1, 16] {
            let (limits, _guard) = only(&RateLimiter::new(Some(rate)));
            let bytes = through(vec![&limits; connections], 400_000).await;
            assert_within_five_percent(bytes, rate * 10);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_limit_holds_over_all_transfers_that_share_it() {
    let job = RateLimiter::new(Some(5_000_000));
    let of_job: Vec<_> = (0..4).map(|_| only(&job)).collect();
    let bytes = through(of_job.iter().map(|(limits, _)| limits), 64 * 1024).await;
    assert_within_five_percent(bytes, 50_000_000);

    let hive = RateLimiter::new(Some(3_000_000));
    let of_hive: Vec<_> = [None, Some(2_000_000), Some(9_000_000)]
        .into_iter()
        .map(|limit| {
            let limits = RateLimits::new(hive.clone());
            let guard = limits.join(RateLimiter::new(limit));
            (limits, guard)
        })
        .collect();
    let bytes = through(of_hive.iter().map(|(limits, _)| limits), 64 * 1024).await;
    assert_within_five_percent(bytes, 30_000_000);
}

#[tokio::test(start_paused = true)]
async fn of_those_who_wait_the_most_generous_counts_and_only_while_it_waits() {
    let (limits, _low) = only(&RateLimiter::new(Some(1_000_000)));
    assert_within_five_percent(through([&limits], 16 * 1024).await, 10_000_000);
    let high = limits.join(RateLimiter::new(Some(4_000_000)));
    assert_within_five_percent(through([&limits], 16 * 1024).await, 40_000_000);
    drop(high);
    assert_within_five_percent(through([&limits], 16 * 1024).await, 10_000_000);
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_counts_twice_counts_until_both_have_left() {
    let limit = RateLimiter::new(Some(1_000_000));
    let (limits, guard) = only(&limit);
    let other = limits.join(limit);
    drop(other);
    assert_within_five_percent(through([&limits], 16 * 1024).await, 10_000_000);
    drop(guard);
    assert!(limits.pay(u64::MAX).now_or_never().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_pause_saves_up_next_to_nothing() {
    let (limits, _guard) = only(&RateLimiter::new(Some(1_000_000)));
    sleep(Duration::from_hours(1)).await;
    assert_within_five_percent(through([&limits], 10_000).await, 10_000_000);
}

#[tokio::test(start_paused = true)]
async fn a_changed_limit_counts_at_once_for_those_who_wait() {
    let limit = RateLimiter::new(Some(1));
    let (limits, _guard) = only(&limit);
    limits.pay(1).await;
    let mut waiting = pin!(limits.pay(1_000_000));
    assert!(poll!(waiting.as_mut()).is_pending());
    let begun = Instant::now();
    limit.set_limit(Some(1_000_000));
    waiting.as_mut().await;
    assert!(begun.elapsed() <= Duration::from_millis(1100));
}

/// What can end a wait, given the limits, the most generous one, a lower one and the guard of the former.
type Change = fn(&RateLimits, &RateLimiter, &RateLimiter, RateLimitGuard) -> Option<RateLimitGuard>;

const CHANGES: [(&str, Change); 5] = [
    ("the limit is lifted", |_, high, _, guard| {
        high.set_limit(None);
        Some(guard)
    }),
    ("a lower one is lifted", |_, _, low, guard| {
        low.set_limit(None);
        Some(guard)
    }),
    ("it falls below the lower one", |_, high, _, guard| {
        high.set_limit(Some(1));
        Some(guard)
    }),
    ("a more generous one joins", |limits, _, _, guard| {
        std::mem::forget(limits.join(RateLimiter::new(Some(2000))));
        Some(guard)
    }),
    ("the most generous one leaves", |_, _, _, guard| {
        drop(guard);
        None
    }),
];

#[tokio::test(start_paused = true)]
async fn a_wait_ends_with_the_reason_for_it() {
    for (change, apply) in CHANGES {
        let (high, low) = (RateLimiter::new(Some(1000)), RateLimiter::new(Some(10)));
        let (limits, _low_guard) = only(&low);
        let high_guard = limits.join(high.clone());
        let mut waiting = pin!(limits.pay(1_000_000_000));
        assert!(poll!(waiting.as_mut()).is_pending());
        let _guard = apply(&limits, &high, &low, high_guard);
        assert!(waiting.now_or_never().is_some(), "{change}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_limit_that_always_holds_is_waited_for_whoever_comes() {
    let hive = RateLimiter::new(Some(1000));
    let limits = RateLimits::new(hive.clone());
    let mut waiting = pin!(limits.pay(1_000_000));
    assert!(poll!(waiting.as_mut()).is_pending());
    let _generous = limits.join(RateLimiter::new(None));
    assert!(poll!(waiting.as_mut()).is_pending());
    hive.set_limit(None);
    assert!(waiting.now_or_never().is_some());
}

#[tokio::test]
async fn without_a_limit_nobody_waits_and_chunks_stay_whole() {
    let limits = RateLimits::new(RateLimiter::new(None));
    assert_eq!(limits.piece_bytes(), usize::MAX);
    let _guard = limits.join(RateLimiter::new(None));
    assert_eq!(limits.piece_bytes(), usize::MAX);
    assert!(limits.pay(u64::MAX).now_or_never().is_some());
}
