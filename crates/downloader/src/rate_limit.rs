//! A limit on bytes a second that can be changed while bytes flow.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;
use tokio::time::Instant;

/// What may be saved up while nothing comes, as time at the full rate. Small, so that the limit holds over seconds.
const BURST: Duration = Duration::from_millis(50);

/// The longest sleep at once: a wait for longer is looked at again.
const LONGEST_SLEEP: Duration = Duration::from_hours(1);

/// A limit that any number of transfers share: of one job, of a hive. Clones are the same limit.
///
/// Bytes are paid for in the order in which they came, before they count as received and before more is read, so that
/// over any ten seconds the bytes of all stay within 5 % of the limit.
#[derive(Clone, Debug)]
pub struct RateLimiter {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Arc<Notify>,
}

#[derive(Debug)]
struct State {
    bytes_per_second: Option<u64>,
    /// Bytes that ever came, under a limit or not.
    came: u64,
    /// Bytes that were taken under a limit, all in all.
    taken: f64,
    /// Bytes that are paid for; ahead of `taken` by the burst at most.
    paid: f64,
    at: Instant,
}

/// Up to where a limit must be paid, for bytes that were taken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Debt(f64);

impl RateLimiter {
    /// A limit of this many bytes a second, at least one; `None` for no limit.
    pub fn new(bytes_per_second: Option<u64>) -> Self {
        Self {
            shared: Arc::new(Shared {
                state: Mutex::new(State {
                    bytes_per_second,
                    came: 0,
                    taken: 0.0,
                    paid: 0.0,
                    at: Instant::now(),
                }),
                changed: Arc::default(),
            }),
        }
    }

    /// The limit in bytes a second.
    pub fn limit(&self) -> Option<u64> {
        self.state().bytes_per_second
    }

    /// Bytes that ever came, under a limit or not.
    pub fn bytes_received(&self) -> u64 {
        self.state().came
    }

    /// Changes the limit, for those who wait already too.
    pub fn set_limit(&self, bytes_per_second: Option<u64>) {
        let mut state = self.state();
        state.settle(Instant::now());
        state.bytes_per_second = bytes_per_second;
        drop(state);
        self.shared.changed.notify_waiters();
    }

    /// Whether both are one limit, not only equally high.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    /// Takes bytes that came. They stay taken, whether or not anybody waits until they are paid for.
    pub(crate) fn take(&self, bytes: u64) -> Debt {
        self.state().take(bytes)
    }

    /// How long until a debt is paid if the limit stays; `None` if it is.
    pub(crate) fn wait_for(&self, debt: Debt) -> Option<Duration> {
        self.state().wait_for(debt)
    }

    /// How long until everything that was taken is paid if the limit stays; `None` if it is.
    pub(crate) fn backlog(&self) -> Option<Duration> {
        let mut state = self.state();
        let debt = Debt(state.taken);
        state.wait_for(debt)
    }

    /// The next change of the limit from now on.
    pub(crate) fn changed(&self) -> OwnedNotified {
        Arc::clone(&self.shared.changed).notified_owned()
    }

    /// The most bytes to take at once, so that they can have been saved up for.
    pub(crate) fn piece_bytes(&self) -> usize {
        self.limit().map_or(usize::MAX, |bytes_per_second| {
            let saved = u128::from(bytes_per_second) * BURST.as_millis() / 1000;
            usize::try_from(saved).unwrap_or(usize::MAX).max(1)
        })
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
    /// Adds bytes and says up to where must be paid for them. Without a limit there is nothing to keep account of.
    fn take(&mut self, bytes: u64) -> Debt {
        self.came = self.came.saturating_add(bytes);
        if self.bytes_per_second.is_some() {
            self.settle(Instant::now());
            self.taken += bytes as f64;
        }
        Debt(self.taken)
    }

    fn wait_for(&mut self, Debt(due): Debt) -> Option<Duration> {
        let rate = self.rate()?;
        self.settle(Instant::now());
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
