//! The connections of one hive, shared fairly by its jobs, and each job's by its downloads.

use std::collections::{HashMap, HashSet};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// How many connections all downloads of a hive may use together. Clones share the same ones.
///
/// Where there are too few, the next free one goes to the share that has the fewest, in it to the download that has the
/// fewest, and among equals to the one that has waited longest. Since a connection is given back after each range,
/// everyone soon has an equal part.
#[derive(Clone, Debug)]
pub struct ConnectionBudget {
    shared: Arc<Shared>,
}

/// One job's part in a budget, however many downloads it has at a time. Clones are the same part.
#[derive(Clone, Debug)]
pub struct ConnectionShare {
    shared: Arc<Shared>,
    number: u64,
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
    members: HashMap<u64, Part>,
    /// Who waits, under which number.
    waiting: Vec<Waiter>,
}

/// What one download has and would have if it were alone.
#[derive(Clone, Copy, Debug)]
struct Part {
    share: u64,
    held: usize,
    wished: usize,
}

#[derive(Clone, Copy, Debug)]
struct Waiter {
    number: u64,
    member: u64,
}

/// One download's part in its share. Dropping it ends the part.
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

    /// A part for one job.
    pub fn share(&self) -> ConnectionShare {
        ConnectionShare {
            number: self.shared.state().number(),
            shared: Arc::clone(&self.shared),
        }
    }
}

impl ConnectionShare {
    /// The most connections that there are for all shares together.
    pub(crate) fn most(&self) -> usize {
        self.shared.most
    }

    pub(crate) fn join(&self) -> Member {
        let mut state = self.shared.state();
        let number = state.number();
        let part = Part {
            share: self.number,
            held: 0,
            wished: 0,
        };
        state.members.insert(number, part);
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

    /// Whether another download waits for a connection that should rather be its than ours.
    pub(crate) fn is_contended(&self) -> bool {
        self.shared.state().is_contended(self.number)
    }

    /// Says how many connections this download would have for itself, and how many make its share as strong as the
    /// strongest other: a job with many downloads must not push one with a single download aside, even where there
    /// are connections for all.
    pub(crate) fn wish(&self, connections: usize) -> usize {
        let mut state = self.shared.state();
        if let Some(part) = state.members.get_mut(&self.number) {
            part.wished = connections;
        }
        state.equal_part(self.number)
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
        if let Some(part) = state.members.get_mut(&waiter.member) {
            part.held += 1;
        }
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
        let waiting = self.waiting.iter();
        let next = waiting.min_by_key(|waiter| (self.held_by(waiter.member), waiter.number));
        next.map(|waiter| waiter.number)
    }

    /// How many a download's share has, and the download itself.
    fn held_by(&self, member: u64) -> (usize, usize) {
        let Some(own) = self.members.get(&member) else {
            return (0, 0);
        };
        let of_share = self.members.values().filter(|part| part.share == own.share);
        (of_share.map(|part| part.held).sum(), own.held)
    }

    fn is_contended(&self, member: u64) -> bool {
        let Some(own) = self.members.get(&member) else {
            return false;
        };
        let (share_held, own_held) = self.held_by(member);
        let others = self.waiting.iter().filter(|waiter| waiter.member != member);
        others
            .filter_map(|waiter| Some((waiter.member, self.members.get(&waiter.member)?)))
            .any(|(other, part)| {
                let (theirs, ours) = if part.share == own.share {
                    (part.held, own_held)
                } else {
                    (self.held_by(other).0, share_held)
                };
                // One that has nothing takes turns; else one more must not leave it with more than we keep.
                theirs == 0 || theirs + 1 < ours
            })
    }

    fn equal_part(&self, member: u64) -> usize {
        let Some(own) = self.members.get(&member).map(|part| part.share) else {
            return 0;
        };
        let others = self.members.values().map(|part| part.share);
        let others: HashSet<u64> = others.filter(|share| *share != own).collect();
        let of = |share: u64| {
            self.members
                .values()
                .filter(move |part| part.share == share)
        };
        let wished = |share: u64| of(share).map(|part| part.wished).sum::<usize>();
        let strongest = others.into_iter().map(wished).max().unwrap_or_default();
        strongest / of(own).count()
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
            if let Some(part) = state.members.get_mut(&self.member) {
                part.held -= 1;
            }
        });
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.shared.change(|state| {
            state.members.remove(&self.number);
        });
    }
}

#[cfg(test)]
mod tests;
