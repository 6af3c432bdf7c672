//! Live figures of a transfer: written by the download without waiting, read by the caller at its own pace.

mod activity;

use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use self::activity::Activities;
pub(crate) use self::activity::{Activity, Doing};
use crate::{RetryCause, RetryNotice};

/// The counters of one transfer. They are independent of each other: a snapshot is not one moment, only recent.
#[derive(Debug)]
pub struct TransferMeter {
    retries: mpsc::Sender<RetryNotice>,
    retries_by_cause: Mutex<Vec<(RetryCause, u32)>>,
    started: Instant,
    bytes_done: AtomicU64,
    bytes_received: AtomicU64,
    last_byte_ms: AtomicU64,
    try_number: AtomicU32,
    stage: AtomicU8,
    busy_with: AtomicU8,
    activities: Activities,
}

/// What a transfer does now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransferState {
    /// Not begun, or waiting for its share of the connections.
    Preparing,
    /// Hashing again what an earlier download left.
    Rehashing,
    /// Waiting for the source to open a range; nothing is received meanwhile.
    Opening,
    /// Receiving, on one connection at least.
    Receiving,
    /// Waiting before the next try; nothing is received meanwhile.
    BackingOff,
    /// The network is gone; tried again until it is back.
    WaitingForNetwork,
    /// All bytes are here; the last of them are hashed and synced.
    Verifying,
    /// Ended, one way or the other.
    Ended,
}

/// What holds a transfer back at this moment, as far as it can be seen from inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitedBy {
    /// The source answers slowly or not at all.
    Hub,
    /// The line to it, or our own share of the connections.
    Connection,
    /// Our own limit on bytes a second.
    RateLimit,
    /// Writing to the disk.
    Disk,
    /// Computing the hash.
    Hashing,
}

/// The figures of a transfer now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransferSnapshot {
    /// Bytes of the file that are here, those from an earlier download included; back to zero when what was received
    /// is thrown away, and after the end what is kept.
    pub bytes_done: u64,
    /// Bytes that came over the line since the transfer began; never falls, so a rate can be taken from it.
    pub bytes_received: u64,
    /// Time since the last byte came, or since the meter was made.
    pub idle: Duration,
    /// Which try is under way, from 1, counted anew at the first failure after progress.
    pub try_number: u32,
    /// Connections in use.
    pub connections: u32,
    /// What the transfer does.
    pub state: TransferState,
    /// What holds it back, or nothing.
    pub limited_by: Option<LimitedBy>,
}

/// The part of a transfer's life that is the same for all its ranges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Preparing,
    Rehashing,
    Transferring,
    Verifying,
    Ended,
}

impl TransferMeter {
    /// A meter for one transfer that begins now. Every retry is sent to `retries`; the range that is tried again waits
    /// while that channel is full, so it must be read, and goes on without it when its receiver is gone.
    pub fn new(retries: mpsc::Sender<RetryNotice>) -> Self {
        Self {
            retries,
            retries_by_cause: Mutex::default(),
            started: Instant::now(),
            bytes_done: AtomicU64::new(0),
            bytes_received: AtomicU64::new(0),
            last_byte_ms: AtomicU64::new(0),
            try_number: AtomicU32::new(1),
            stage: AtomicU8::new(Stage::Preparing as u8),
            busy_with: AtomicU8::new(LimitedBy::Disk as u8),
            activities: Activities::default(),
        }
    }

    /// The figures now.
    pub fn snapshot(&self) -> TransferSnapshot {
        let last_byte = Duration::from_millis(self.last_byte_ms.load(Ordering::Relaxed));
        let stage = Stage::from_number(self.stage.load(Ordering::Relaxed));
        TransferSnapshot {
            bytes_done: self.bytes_done.load(Ordering::Relaxed),
            bytes_received: self.bytes_received.load(Ordering::Relaxed),
            idle: self.started.elapsed().saturating_sub(last_byte),
            try_number: self.try_number.load(Ordering::Relaxed),
            connections: self.activities.connections(),
            state: self.state(stage),
            limited_by: self.limited_by(stage),
        }
    }

    /// How often which cause led to a retry. Stalls count as one cause, however long they were.
    pub fn retries_by_cause(&self) -> Vec<(RetryCause, u32)> {
        let causes = self.retries_by_cause.lock();
        causes.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn state(&self, stage: Stage) -> TransferState {
        match stage {
            Stage::Preparing => TransferState::Preparing,
            Stage::Rehashing => TransferState::Rehashing,
            Stage::Transferring => self.activities.state(),
            Stage::Verifying => TransferState::Verifying,
            Stage::Ended => TransferState::Ended,
        }
    }

    fn limited_by(&self, stage: Stage) -> Option<LimitedBy> {
        match stage {
            Stage::Preparing | Stage::Ended => None,
            Stage::Rehashing => Some(LimitedBy::Hashing),
            Stage::Transferring if self.activities.any(Doing::Writing) => Some(self.busy_with()),
            Stage::Transferring => self.activities.limited_by(),
            Stage::Verifying => Some(self.busy_with()),
        }
    }

    /// Counts a retry, and tells it if it is news.
    pub(crate) async fn retry(&self, notice: RetryNotice, is_news: bool) {
        self.try_number.store(notice.try_number, Ordering::Relaxed);
        self.count(notice.cause);
        if !is_news {
            return;
        }
        // A caller that no longer listens does not stop the transfer.
        let _ = self.retries.send(notice).await;
    }

    fn count(&self, cause: RetryCause) {
        let causes = self.retries_by_cause.lock();
        let mut causes = causes.unwrap_or_else(PoisonError::into_inner);
        match causes.iter_mut().find(|(other, _)| other.is_like(cause)) {
            Some((_, times)) => *times += 1,
            None => causes.push((cause, 1)),
        }
    }

    pub(crate) fn received(&self, bytes: u64, at: Instant) {
        self.bytes_done.fetch_add(bytes, Ordering::Relaxed);
        self.bytes_received.fetch_add(bytes, Ordering::Relaxed);
        let milliseconds = at.duration_since(self.started).as_millis();
        let milliseconds = u64::try_from(milliseconds).unwrap_or(u64::MAX);
        self.last_byte_ms.store(milliseconds, Ordering::Relaxed);
    }

    pub(crate) fn bytes_received(&self) -> u64 {
        self.bytes_received.load(Ordering::Relaxed)
    }

    /// So many bytes of the file are here, wherever they came from.
    pub(crate) fn set_bytes_done(&self, bytes: u64) {
        self.bytes_done.store(bytes, Ordering::Relaxed);
    }

    pub(crate) fn set_stage(&self, stage: Stage) {
        self.stage.store(stage as u8, Ordering::Relaxed);
    }

    pub(crate) fn set_busy_with(&self, busy_with: LimitedBy) {
        self.busy_with.store(busy_with as u8, Ordering::Relaxed);
    }

    /// What one range does, until the activity is dropped.
    pub(crate) fn activity(&self) -> Activity<'_> {
        self.activities.begin()
    }

    /// Ranges whose body comes, whether or not we take it as fast.
    pub(crate) fn ranges_receiving(&self) -> u32 {
        self.activities.receiving()
    }

    fn busy_with(&self) -> LimitedBy {
        if self.busy_with.load(Ordering::Relaxed) == LimitedBy::Hashing as u8 {
            LimitedBy::Hashing
        } else {
            LimitedBy::Disk
        }
    }
}

impl Stage {
    fn from_number(number: u8) -> Self {
        let all = [
            Self::Preparing,
            Self::Rehashing,
            Self::Transferring,
            Self::Verifying,
        ];
        all.into_iter()
            .find(|stage| *stage as u8 == number)
            .unwrap_or(Self::Ended)
    }
}
