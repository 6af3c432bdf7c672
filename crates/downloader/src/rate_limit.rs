//! A limit on bytes a second that can be changed while bytes flow.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

/// What may be saved up while nothing comes, as time at the full rate. Small, so that the limit holds over seconds.
const BURST: Duration = Duration::from_millis(50);

/// The longest sleep at once: a wait for longer is looked at again.
const LONGEST_SLEEP: Duration = Duration::from_hours(1);

/// A limit that any number of transfers share: of one job, of a hive. Clones are the same limit.
///
/// Bytes are paid for after they came, in the order in which they came: a transfer that took much waits before it
/// reads on, so that over any ten seconds the bytes of all stay within 5 % of the limit.
#[derive(Clone, Debug)]
pub struct RateLimiter {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug)]
struct State {
    bytes_per_second: Option<u64>,
    /// Bytes that were taken, all in all.
    taken: f64,
    /// Bytes that are paid for; ahead of `taken` by the burst at most.
    paid: f64,
    at: Instant,
}

impl RateLimiter {
    /// A limit of this many bytes a second, at least one; `None` for no limit.
    pub fn new(bytes_per_second: Option<u64>) -> Self {
        Self {
            shared: Arc::new(Shared {
                state: Mutex::new(State {
                    bytes_per_second,
                    taken: 0.0,
                    paid: 0.0,
                    at: Instant::now(),
                }),
                changed: Notify::new(),
            }),
        }
    }

    /// The limit in bytes a second.
    pub fn limit(&self) -> Option<u64> {
        self.state().bytes_per_second
    }

    /// Changes the limit, for those who wait already too.
    pub fn set_limit(&self, bytes_per_second: Option<u64>) {
        let mut state = self.state();
        state.settle(Instant::now());
        state.bytes_per_second = bytes_per_second;
        drop(state);
        self.shared.changed.notify_waiters();
    }

    /// Waits until `bytes` that came are paid for. Dropping the future does not give them back: they came.
    pub async fn pay(&self, bytes: u64) {
        let due = self.state().take(bytes);
        loop {
            let mut changed = pin!(self.shared.changed.notified());
            changed.as_mut().enable();
            let Some(wait) = self.state().wait_for(due, Instant::now()) else {
                return;
            };
            tokio::select! {
                () = sleep(wait) => {}
                () = changed => {}
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        let state = self.shared.state.lock();
        state.unwrap_or_else(PoisonError::into_inner)
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a sum of bytes is exact up to 2^53, and one byte in nine petabytes does not matter"
)]
impl State {
    /// Adds bytes and says up to where must be paid for them.
    fn take(&mut self, bytes: u64) -> f64 {
        self.settle(Instant::now());
        self.taken += bytes as f64;
        self.taken
    }

    /// How long until everything up to `due` is paid; `None` if it is.
    fn wait_for(&mut self, due: f64, now: Instant) -> Option<Duration> {
        self.settle(now);
        let rate = self.rate()?;
        let missing = due - self.paid;
        if missing <= 0.0 {
            return None;
        }
        // A timer is exact to a millisecond; what is over is paid ahead.
        let seconds = (missing / rate).min(LONGEST_SLEEP.as_secs_f64());
        Some(Duration::from_secs_f64(seconds).max(Duration::from_millis(1)))
    }

    fn settle(&mut self, now: Instant) {
        let time = now.duration_since(self.at).as_secs_f64();
        self.at = now;
        self.paid = match self.rate() {
            None => self.taken,
            Some(rate) => {
                let most = self.taken + rate * BURST.as_secs_f64();
                (self.paid + rate * time).min(most)
            }
        };
    }

    fn rate(&self) -> Option<f64> {
        self.bytes_per_second.map(|bytes| bytes.max(1) as f64)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use futures_util::future::join_all;

    use super::*;

    /// How many bytes `transfers` of them get through `limits` in `time`, in chunks of this size.
    async fn through(limits: &[RateLimiter], transfers: usize, chunk: u64, time: Duration) -> u64 {
        let total = Mutex::new(0);
        let transfer = async || loop {
            *total.lock().unwrap() += chunk;
            for limit in limits {
                limit.pay(chunk).await;
            }
        };
        let all = join_all((0..transfers).map(|_| transfer()));
        let _ = tokio::time::timeout(time, all).await;
        total.into_inner().unwrap()
    }

    fn assert_within_five_percent(bytes: u64, expected: u64) {
        assert!(
            bytes.abs_diff(expected) * 20 <= expected,
            "{bytes} of {expected}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn over_ten_seconds_the_limit_holds_within_five_percent() {
        let time = Duration::from_secs(10);
        for rate in [1_000_000, 20_000_000, 1_000_000_000] {
            for transfers in [1, 16] {
                let limit = RateLimiter::new(Some(rate));
                let bytes = through(&[limit], transfers, 16 * 1024, time).await;
                assert_within_five_percent(bytes, rate * 10);
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn of_two_limits_in_sequence_the_lower_one_holds() {
        let limits = [
            RateLimiter::new(Some(5_000_000)),
            RateLimiter::new(Some(20_000_000)),
        ];
        let bytes = through(&limits, 4, 64 * 1024, Duration::from_secs(10)).await;
        assert_within_five_percent(bytes, 50_000_000);
    }

    #[tokio::test(start_paused = true)]
    async fn a_changed_limit_counts_at_once_for_those_who_wait() {
        let limit = RateLimiter::new(Some(1));
        limit.pay(1).await;
        let mut waiting = pin!(limit.pay(1_000_000));
        assert!(futures_util::poll!(waiting.as_mut()).is_pending());
        let begun = Instant::now();
        limit.set_limit(Some(1_000_000));
        waiting.as_mut().await;
        assert!(begun.elapsed() <= Duration::from_millis(1100));

        let mut waiting = pin!(limit.pay(1_000_000_000));
        assert!(futures_util::poll!(waiting.as_mut()).is_pending());
        limit.set_limit(None);
        assert!(waiting.now_or_never().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_saves_up_next_to_nothing() {
        let limit = RateLimiter::new(Some(1_000_000));
        tokio::time::sleep(Duration::from_hours(1)).await;
        let bytes = through(&[limit], 1, 10_000, Duration::from_secs(10)).await;
        assert_within_five_percent(bytes, 10_000_000);
    }

    #[tokio::test]
    async fn without_a_limit_nobody_waits() {
        assert!(
            RateLimiter::new(None)
                .pay(u64::MAX)
                .now_or_never()
                .is_some()
        );
    }
}
