//! The limits on bytes a second that hold for one transfer, of those who wait for it.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::select_all;
use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;
use tokio::time::timeout;

use crate::RateLimiter;
use crate::rate_limit::Debt;

/// The limits that hold for one transfer: one that always does, and of those who wait for the transfer the most
/// generous, where no limit is the most generous of all. Clones are the same limits.
///
/// Whoever waits comes and goes while the transfer runs, and every limit can be changed: each byte counts where it
/// counts when it comes, and a wait ends as soon as what is waited for holds no longer.
#[derive(Clone, Debug)]
pub struct RateLimits {
    shared: Arc<Shared>,
}

/// Lets a limit count for a transfer until it is dropped.
#[derive(Debug)]
pub struct RateLimitGuard {
    shared: Arc<Shared>,
    limit: RateLimiter,
}

#[derive(Debug)]
struct Shared {
    always: RateLimiter,
    waiters: Mutex<Vec<RateLimiter>>,
    joined_or_left: Arc<Notify>,
}

/// What is owed for bytes that came: to the limit that always holds, and to the most generous of that moment.
struct Debts {
    always: Debt,
    generous: Option<(RateLimiter, Debt)>,
}

impl RateLimits {
    /// The limit that always holds; nobody waits yet.
    pub fn new(always: RateLimiter) -> Self {
        Self {
            shared: Arc::new(Shared {
                always,
                waiters: Mutex::default(),
                joined_or_left: Arc::default(),
            }),
        }
    }

    /// One more waits for the transfer, under this limit.
    pub fn join(&self, limit: RateLimiter) -> RateLimitGuard {
        self.shared.waiters().push(limit.clone());
        self.shared.joined_or_left.notify_waiters();
        RateLimitGuard {
            shared: Arc::clone(&self.shared),
            limit,
        }
    }

    /// The most bytes to take at once. Under a low limit they are few, so that it holds over seconds.
    pub(crate) fn piece_bytes(&self) -> usize {
        let generous = self.shared.most_generous();
        let of_generous = generous.map_or(usize::MAX, |limit| limit.piece_bytes());
        of_generous.min(self.shared.always.piece_bytes())
    }

    /// Whether it is rather the limit of whoever waits that holds the transfer back than the one that always holds.
    pub(crate) fn is_held_by_a_waiter(&self) -> bool {
        let generous = self.shared.most_generous();
        let backlog = generous.and_then(|limit| limit.backlog());
        backlog > self.shared.always.backlog()
    }

    /// Waits until `bytes` that are at hand are paid for, where that still counts. Dropping the future does not give
    /// them back: they came.
    pub(crate) async fn pay(&self, bytes: u64) {
        let debts = self.shared.take(bytes);
        while self.shared.wait_for(&debts).is_some() {
            // Only who must wait listens, and looks again when he does.
            let change = select_all(self.shared.changes());
            if let Some(wait) = self.shared.wait_for(&debts) {
                // Whichever comes first is a reason to look again.
                let _ = timeout(wait, change).await;
            }
        }
    }
}

impl Shared {
    fn take(&self, bytes: u64) -> Debts {
        Debts {
            always: self.always.take(bytes),
            generous: self.most_generous().map(|limit| {
                let debt = limit.take(bytes);
                (limit, debt)
            }),
        }
    }

    /// How long until all is paid that still counts, if nothing changes; `None` if it is.
    fn wait_for(&self, debts: &Debts) -> Option<Duration> {
        let generous = debts.generous.as_ref().and_then(|(limit, debt)| {
            let still_counts = self.most_generous().is_some_and(|now| now.is(limit));
            limit.wait_for(*debt).filter(|_| still_counts)
        });
        self.always.wait_for(debts.always).max(generous)
    }

    /// Of several that are equally generous, the one that came first.
    fn most_generous(&self) -> Option<RateLimiter> {
        let waiters = self.waiters();
        let by_generosity = waiters.iter().rev();
        let most = by_generosity.max_by_key(|limit| limit.limit().unwrap_or(u64::MAX));
        most.cloned()
    }

    /// Everything that can change what counts, from now on.
    fn changes(&self) -> Vec<Pin<Box<OwnedNotified>>> {
        let waiters = self.waiters();
        let limits = waiters.iter().chain([&self.always]);
        let changed = limits.map(RateLimiter::changed);
        let joined_or_left = Arc::clone(&self.joined_or_left).notified_owned();
        changed.chain([joined_or_left]).map(Box::pin).collect()
    }

    fn waiters(&self) -> MutexGuard<'_, Vec<RateLimiter>> {
        self.waiters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for RateLimitGuard {
    fn drop(&mut self) {
        let mut waiters = self.shared.waiters();
        // The same limit may be there more than once, for several files of one job: one of them goes.
        if let Some(at) = waiters.iter().position(|limit| limit.is(&self.limit)) {
            waiters.remove(at);
        }
        drop(waiters);
        self.shared.joined_or_left.notify_waiters();
    }
}

#[cfg(test)]
mod tests;
