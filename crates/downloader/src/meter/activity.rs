//! What the ranges of a transfer do at this moment, counted, and what that comes to for the whole.

use std::sync::atomic::{AtomicU32, Ordering};

use super::{LimitedBy, TransferState};

/// What one range does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doing {
    /// Waits for a connection of the shared budget.
    Queueing,
    Opening,
    Receiving,
    /// Has bytes and waits until our own limit lets it go on.
    RateLimited,
    /// Has bytes and waits until the writer takes them.
    Writing,
    BackingOff,
    /// Waits for the network or tries whether it is back.
    WaitingForNetwork,
}

const KINDS: usize = 7;

/// How many ranges do what.
#[derive(Debug, Default)]
pub(super) struct Activities {
    counts: [AtomicU32; KINDS],
}

/// One range's entry; dropping it takes it out.
pub(crate) struct Activity<'a> {
    activities: &'a Activities,
    doing: Doing,
}

impl Activities {
    pub(super) fn begin(&self) -> Activity<'_> {
        self.change(Doing::Queueing, 1);
        Activity {
            activities: self,
            doing: Doing::Queueing,
        }
    }

    pub(super) fn any(&self, doing: Doing) -> bool {
        self.count(doing) > 0
    }

    pub(super) fn connections(&self) -> u32 {
        self.count(Doing::Opening) + self.receiving()
    }

    pub(super) fn receiving(&self) -> u32 {
        let with_a_body = [Doing::Receiving, Doing::RateLimited, Doing::Writing];
        with_a_body.iter().map(|doing| self.count(*doing)).sum()
    }

    pub(super) fn state(&self) -> TransferState {
        if self.receiving() > 0 {
            TransferState::Receiving
        } else if self.any(Doing::WaitingForNetwork) {
            TransferState::WaitingForNetwork
        } else if self.any(Doing::Opening) {
            TransferState::Opening
        } else if self.any(Doing::BackingOff) {
            TransferState::BackingOff
        } else {
            TransferState::Preparing
        }
    }

    pub(super) fn limited_by(&self) -> Option<LimitedBy> {
        if self.any(Doing::RateLimited) {
            Some(LimitedBy::RateLimit)
        } else if self.any(Doing::Receiving) || self.any(Doing::WaitingForNetwork) {
            Some(LimitedBy::Connection)
        } else if self.any(Doing::Opening) || self.any(Doing::BackingOff) {
            Some(LimitedBy::Hub)
        } else if self.any(Doing::Queueing) {
            Some(LimitedBy::Connection)
        } else {
            None
        }
    }

    fn count(&self, doing: Doing) -> u32 {
        self.counts[doing as usize].load(Ordering::Relaxed)
    }

    fn change(&self, doing: Doing, by: i32) {
        let count = &self.counts[doing as usize];
        count.fetch_add(by.cast_unsigned(), Ordering::Relaxed);
    }
}

impl Activity<'_> {
    pub(crate) fn set(&mut self, doing: Doing) {
        self.activities.change(doing, 1);
        self.activities.change(self.doing, -1);
        self.doing = doing;
    }

    pub(crate) const fn doing(&self) -> Doing {
        self.doing
    }
}

impl Drop for Activity<'_> {
    fn drop(&mut self) {
        self.activities.change(self.doing, -1);
    }
}
