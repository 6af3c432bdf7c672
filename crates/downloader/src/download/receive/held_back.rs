//! How long ranges had bytes and waited for something of ours: disk and hash, or limits on bytes a second.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The waits of all ranges of a file together, those that go on included.
#[derive(Debug)]
pub(super) struct HeldBack {
    account: Mutex<Account>,
}

#[derive(Debug)]
struct Account {
    /// How many ranges wait now.
    waiting: u32,
    time: Duration,
    at: Instant,
}

/// One range that waits, until it is dropped.
struct Waiting<'a>(&'a HeldBack);

impl HeldBack {
    pub(super) fn new() -> Self {
        Self {
            account: Mutex::new(Account {
                waiting: 0,
                time: Duration::ZERO,
                at: Instant::now(),
            }),
        }
    }

    /// Waits for what is ours, and counts the time of it.
    pub(super) async fn during<T>(&self, ours: impl Future<Output = T>) -> T {
        self.settled().waiting += 1;
        let _waiting = Waiting(self);
        ours.await
    }

    /// The time since the last call; several ranges that wait at once count each.
    pub(super) fn take(&self) -> Duration {
        std::mem::take(&mut self.settled().time)
    }

    fn settled(&self) -> MutexGuard<'_, Account> {
        let account = self.account.lock();
        let mut account = account.unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let waited = now.duration_since(account.at) * account.waiting;
        account.time += waited;
        account.at = now;
        account
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.settled().waiting -= 1;
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{advance, sleep};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_wait_counts_while_it_goes_on_and_no_longer() {
        let held_back = HeldBack::new();
        let second = Duration::from_secs(1);
        {
            let mut long = Box::pin(held_back.during(sleep(second * 100)));
            let mut other = Box::pin(held_back.during(sleep(second * 100)));
            assert!(futures_util::poll!(long.as_mut()).is_pending());
            assert!(futures_util::poll!(other.as_mut()).is_pending());
            advance(second).await;
            assert_eq!(held_back.take(), second * 2);
        }
        advance(second).await;
        assert_eq!(held_back.take(), Duration::ZERO);
    }
}
