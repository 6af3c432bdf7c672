//! The figures of a download, from the meters of its transfers.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use downloader::{TransferMeter, TransferState};
use model_store::BlobName;
use tokio::time::Instant;

use super::planned::{Identity, Target};
use crate::{FileTransfer, TransferProgress};

/// How often figures are told.
pub(crate) const INTERVAL: Duration = Duration::from_millis(250);

/// The time over which a rate is averaged.
const WINDOW: Duration = Duration::from_secs(5);

/// What is known about each file, written by the transfers and read at every interval.
pub(crate) struct Board {
    tries: u32,
    bytes_reused: u64,
    state: Mutex<State>,
}

struct State {
    /// The sizes by place in the plan, `None` while unknown.
    sizes: Vec<Option<u64>>,
    /// Verified bytes and files.
    bytes_verified: u64,
    files_verified: u32,
    /// Bytes received by transfers that have ended.
    bytes_received: u64,
    /// What these were of. Two files of the plan may be one blob.
    ended: HashMap<BlobName, Identity>,
    total: Rate,
    active: BTreeMap<u32, Active>,
    /// Files whose question to the Hub waits for the network.
    without_network: BTreeSet<u32>,
}

struct Active {
    path: String,
    bytes: u64,
    meter: Arc<TransferMeter>,
    /// Bytes that the transfer had received before this download shared it.
    bytes_before: u64,
    rate: Rate,
}

/// Received bytes over the last seconds.
#[derive(Default)]
struct Rate {
    samples: VecDeque<(Instant, u64)>,
}

impl Board {
    pub(crate) fn new(targets: &[Target], bytes_reused: u64, tries: u32) -> Self {
        let bytes_of = |target: &Target| target.identity.as_ref().map(|identity| identity.bytes);
        Self {
            tries,
            bytes_reused,
            state: Mutex::new(State {
                sizes: targets.iter().map(bytes_of).collect(),
                bytes_verified: 0,
                files_verified: 0,
                bytes_received: 0,
                ended: HashMap::new(),
                total: Rate::default(),
                active: BTreeMap::new(),
                without_network: BTreeSet::new(),
            }),
        }
    }

    /// The size of a file became known.
    pub(crate) fn sized(&self, index: u32, bytes: u64) {
        let mut state = self.state();
        if let Some(size) = (index as usize)
            .checked_sub(1)
            .and_then(|at| state.sizes.get_mut(at))
        {
            *size = Some(bytes);
        }
    }

    /// A transfer begins.
    pub(crate) fn begun(&self, index: u32, path: &str, bytes: u64, meter: Arc<TransferMeter>) {
        let active = Active {
            path: path.to_owned(),
            bytes,
            bytes_before: meter.snapshot().bytes_received,
            meter,
            rate: Rate::default(),
        };
        self.state().active.insert(index, active);
    }

    /// A transfer ended, or this download shares it no more. Says how many bytes it has received since [`Self::begun`].
    pub(crate) fn ended(&self, index: u32, identity: &Identity) -> u64 {
        let mut state = self.state();
        let Some(active) = state.active.remove(&index) else {
            return 0;
        };
        let received = active.bytes_received();
        state.bytes_received += received;
        state.ended.insert(identity.blob.clone(), identity.clone());
        received
    }

    /// The question for a file waits for the network, or does no more.
    pub(crate) fn waits_for_network(&self, index: u32, waits: bool) {
        let mut state = self.state();
        if waits {
            state.without_network.insert(index);
        } else {
            state.without_network.remove(&index);
        }
    }

    /// Whether there is something to wait for the network for, and nothing that goes on without it.
    pub(crate) fn is_without_network(&self) -> bool {
        let state = self.state();
        let mut transfers = state.active.values();
        let all_wait = transfers
            .all(|active| active.meter.snapshot().state == TransferState::WaitingForNetwork);
        all_wait && !(state.without_network.is_empty() && state.active.is_empty())
    }

    /// What transfers of this download that have ended were of.
    pub(crate) fn ended_transfers(&self) -> HashMap<BlobName, Identity> {
        self.state().ended.clone()
    }

    /// A file is in the store.
    pub(crate) fn verified(&self, bytes: u64) {
        let mut state = self.state();
        state.bytes_verified += bytes;
        state.files_verified += 1;
    }

    /// The figures now.
    pub(crate) fn sample(&self, now: Instant) -> TransferProgress {
        let mut guard = self.state();
        let state = &mut *guard;
        let mut files = Vec::with_capacity(state.active.len());
        let mut bytes_received = state.bytes_received;
        let mut limited_by = None;
        for (index, active) in &mut state.active {
            let snapshot = active.meter.snapshot();
            bytes_received += snapshot.bytes_received - active.bytes_before;
            limited_by = limited_by.or(snapshot.limited_by);
            files.push(FileTransfer {
                index: *index,
                path: active.path.clone(),
                bytes_done: snapshot.bytes_done,
                bytes_total: active.bytes,
                bytes_per_second: active.rate.after(now, snapshot.bytes_received),
                idle: snapshot.idle,
                try_number: snapshot.try_number,
                tries: self.tries,
            });
        }
        let in_transfer: u64 = files.iter().map(|file| file.bytes_done).sum();
        TransferProgress {
            bytes_done: state.bytes_verified + in_transfer,
            bytes_total: state.sizes.iter().copied().sum(),
            bytes_reused: self.bytes_reused,
            bytes_received,
            bytes_per_second: state.total.after(now, bytes_received),
            files_done: state.files_verified,
            files_total: u32::try_from(state.sizes.len()).unwrap_or(u32::MAX),
            files,
            limited_by,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Active {
    fn bytes_received(&self) -> u64 {
        self.meter.snapshot().bytes_received - self.bytes_before
    }
}

impl Rate {
    /// Takes a sample and answers bytes a second over the window.
    fn after(&mut self, now: Instant, bytes: u64) -> u64 {
        self.samples.push_back((now, bytes));
        // The newest sample that is older than the window stays, so that the window is always full.
        while self
            .samples
            .get(1)
            .is_some_and(|(at, _)| now.duration_since(*at) >= WINDOW)
        {
            self.samples.pop_front();
        }
        let Some((at, before)) = self.samples.front() else {
            return 0;
        };
        let milliseconds = u64::try_from(now.duration_since(*at).as_millis()).unwrap_or(u64::MAX);
        bytes
            .saturating_sub(*before)
            .saturating_mul(1000)
            .checked_div(milliseconds)
            .unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_the_average_over_the_last_five_seconds() {
        let start = Instant::now();
        let mut rate = Rate::default();
        assert_eq!(rate.after(start, 0), 0);
        for second in 1..=10 {
            let at = start + Duration::from_secs(second);
            assert_eq!(rate.after(at, second * 1000), 1000);
        }
        for second in 11..=14 {
            rate.after(start + Duration::from_secs(second), 10_000);
        }
        assert_eq!(rate.after(start + Duration::from_secs(15), 10_000), 0);
    }
}
