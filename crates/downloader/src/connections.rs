//! The connections of one hive, shared fairly by its downloads.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// How many connections all downloads of a hive may use together. Clones share the same ones.
///
/// Where there are too few, the next free one goes to the download that has the fewest, and among equals to the one
/// that has waited longest. Since a connection is given back after each range, everyone soon has an equal share.
#[derive(Clone, Debug)]
pub struct ConnectionBudget {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    most: usize,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    used: usize,
    next_number: u64,
    /// How many each download has.
    held: HashMap<u64, usize>,
    /// Who waits, under which number.
    waiting: Vec<Waiter>,
}

#[derive(Clone, Copy, Debug)]
struct Waiter {
    number: u64,
    member: u64,
}

/// One download's part in the budget. Dropping it ends the part.
#[derive(Debug)]
pub(crate) struct Member {
    shared: Arc<Shared>,
    number: u64,
}

/// Leave to use one connection, until it is dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    shared: Arc<Shared>,
    member: u64,
}

/// Takes a waiter out of the queue, however it stopped waiting.
struct Queued<'a> {
    shared: &'a Shared,
    waiter: Waiter,
}

impl ConnectionBudget {
    /// A budget of `most` connections, at least one.
    pub fn new(most: usize) -> Self {
        Self {
            shared: Arc::new(Shared {
                most: most.max(1),
                state: Mutex::default(),
                changed: Notify::new(),
            }),
        }
    }

    /// Connections in use now.
    pub fn in_use(&self) -> usize {
        self.shared.state().used
    }

    pub(crate) fn join(&self) -> Member {
        let mut state = self.shared.state();
        let number = state.number();
        state.held.insert(number, 0);
        Member {
            shared: Arc::clone(&self.shared),
            number,
        }
    }
}

impl Member {
    /// Waits for a connection. Dropping the future gives the place in the queue back.
    pub(crate) async fn acquire(&self) -> Permit {
        let shared = &*self.shared;
        let queued = shared.queue(self.number);
        loop {
            let mut changed = pin!(shared.changed.notified());
            changed.as_mut().enable();
            if shared.try_take(queued.waiter) {
                return Permit {
                    shared: Arc::clone(&self.shared),
                    member: self.number,
                };
            }
            changed.await;
        }
    }

    /// Whether another download waits for a connection.
    pub(crate) fn is_contended(&self) -> bool {
        let state = self.shared.state();
        let mut waiting = state.waiting.iter();
        waiting.any(|waiter| waiter.member != self.number)
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn queue(&self, member: u64) -> Queued<'_> {
        let mut state = self.state();
        let number = state.number();
        let waiter = Waiter { number, member };
        state.waiting.push(waiter);
        Queued {
            shared: self,
            waiter,
        }
    }

    fn try_take(&self, waiter: Waiter) -> bool {
        let mut state = self.state();
        if state.used >= self.most || state.next_waiter() != Some(waiter.number) {
            return false;
        }
        state.used += 1;
        *state.held.entry(waiter.member).or_default() += 1;
        true
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.changed.notify_waiters();
    }
}

impl State {
    fn number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }

    /// Whose turn it is.
    fn next_waiter(&self) -> Option<u64> {
        let held = |waiter: &Waiter| self.held.get(&waiter.member).copied().unwrap_or_default();
        let waiting = self.waiting.iter();
        let next = waiting.min_by_key(|waiter| (held(waiter), waiter.number));
        next.map(|waiter| waiter.number)
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        let number = self.waiter.number;
        self.shared
            .change(|state| state.waiting.retain(|waiter| waiter.number != number));
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.shared.change(|state| {
            state.used -= 1;
            if let Some(held) = state.held.get_mut(&self.member) {
                *held -= 1;
            }
        });
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.shared.change(|state| {
            state.held.remove(&self.number);
        });
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn take(member: &Member) -> Option<Permit> {
        member.acquire().now_or_never()
    }

    #[tokio::test]
    async fn one_alone_gets_all_and_no_more() {
        let budget = ConnectionBudget::new(3);
        let member = budget.join();
        let permits: Vec<_> = std::iter::from_fn(|| take(&member)).collect();
        assert_eq!((permits.len(), budget.in_use()), (3, 3));
        drop(permits);
        assert_eq!(budget.in_use(), 0);
    }

    #[tokio::test]
    async fn a_newcomer_gets_its_equal_share_as_connections_come_free() {
        let budget = ConnectionBudget::new(4);
        let (old, new) = (budget.join(), budget.join());
        let mut of_old: Vec<_> = std::iter::from_fn(|| take(&old)).collect();
        let mut of_new = Vec::new();
        for _ in 0..20 {
            // Both want as many as they can get, and the old one gives one back after each range.
            let mut for_new = pin!(new.acquire());
            let mut for_old = pin!(old.acquire());
            assert!(futures_util::poll!(for_new.as_mut()).is_pending());
            assert!(futures_util::poll!(for_old.as_mut()).is_pending());
            drop(of_old.remove(0));
            tokio::select! {
                permit = for_new => of_new.push(permit),
                permit = for_old => of_old.push(permit),
            }
        }
        assert_eq!((of_old.len(), of_new.len()), (2, 2));
    }

    #[tokio::test]
    async fn one_that_stops_waiting_is_in_nobodys_way() {
        let budget = ConnectionBudget::new(1);
        let (first, second, third) = (budget.join(), budget.join(), budget.join());
        let held = take(&first).unwrap();
        let mut for_third = pin!(third.acquire());
        {
            let mut for_second = pin!(second.acquire());
            assert!(futures_util::poll!(for_second.as_mut()).is_pending());
            assert!(futures_util::poll!(for_third.as_mut()).is_pending());
            assert!(first.is_contended());
        }
        drop(held);
        for_third.await;
        assert!(!first.is_contended());
    }
}
