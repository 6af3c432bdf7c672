//! Live figures of a transfer: written by the download without waiting, read by the caller at its own pace.

use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::RetryNotice;

/// The counters of one transfer. They are independent of each other: a snapshot is not one moment, only recent.
#[derive(Debug)]
pub struct TransferMeter {
    retries: mpsc::Sender<RetryNotice>,
    started: Instant,
    bytes_done: AtomicU64,
    bytes_received: AtomicU64,
    last_byte_ms: AtomicU64,
    try_number: AtomicU32,
    state: AtomicU8,
    limited_by: AtomicU8,
}

/// What a transfer does now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransferState {
    /// Not begun, or making room on the disk.
    Preparing,
    /// Waiting for the source to open a range.
    Opening,
    /// Receiving the body.
    Receiving,
    /// Waiting before the next try.
    BackingOff,
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
    /// The line to it.
    Connection,
    /// Writing to the disk.
    Disk,
    /// Computing the hash.
    Hashing,
}

/// The figures of a transfer now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransferSnapshot {
    /// Bytes of the file that are here; back to zero when what was received is thrown away.
    pub bytes_done: u64,
    /// Bytes that came over the line since the transfer began; never falls, so a rate can be taken from it.
    pub bytes_received: u64,
    /// Time since the last byte came, or since the meter was made.
    pub idle: Duration,
    /// Which try is under way, from 1, counted anew at the first failure after progress.
    pub try_number: u32,
    /// What the transfer does.
    pub state: TransferState,
    /// What holds it back, or nothing.
    pub limited_by: Option<LimitedBy>,
}

impl TransferMeter {
    /// A meter for one transfer that begins now. Every retry is sent to `retries`; the transfer waits while that
    /// channel is full, so it must be read, and goes on without it when its receiver is gone.
    pub fn new(retries: mpsc::Sender<RetryNotice>) -> Self {
        Self {
            retries,
            started: Instant::now(),
            bytes_done: AtomicU64::new(0),
            bytes_received: AtomicU64::new(0),
            last_byte_ms: AtomicU64::new(0),
            try_number: AtomicU32::new(1),
            state: AtomicU8::new(TransferState::Preparing as u8),
            limited_by: AtomicU8::new(u8::MAX),
        }
    }

    /// The figures now.
    pub fn snapshot(&self) -> TransferSnapshot {
        let last_byte = Duration::from_millis(self.last_byte_ms.load(Ordering::Relaxed));
        TransferSnapshot {
            bytes_done: self.bytes_done.load(Ordering::Relaxed),
            bytes_received: self.bytes_received.load(Ordering::Relaxed),
            idle: self.started.elapsed().saturating_sub(last_byte),
            try_number: self.try_number.load(Ordering::Relaxed),
            state: TransferState::from_number(self.state.load(Ordering::Relaxed)),
            limited_by: LimitedBy::from_number(self.limited_by.load(Ordering::Relaxed)),
        }
    }

    pub(crate) async fn retry(&self, notice: RetryNotice) {
        self.try_number.store(notice.try_number, Ordering::Relaxed);
        // A caller that no longer listens does not stop the transfer.
        let _ = self.retries.send(notice).await;
    }

    pub(crate) fn received(&self, bytes: u64, at: Instant) {
        self.bytes_done.fetch_add(bytes, Ordering::Relaxed);
        self.bytes_received.fetch_add(bytes, Ordering::Relaxed);
        let milliseconds = at.duration_since(self.started).as_millis();
        let milliseconds = u64::try_from(milliseconds).unwrap_or(u64::MAX);
        self.last_byte_ms.store(milliseconds, Ordering::Relaxed);
    }

    pub(crate) fn thrown_away(&self) {
        self.bytes_done.store(0, Ordering::Relaxed);
    }

    pub(crate) fn set_state(&self, state: TransferState) {
        self.state.store(state as u8, Ordering::Relaxed);
    }

    pub(crate) fn set_limited_by(&self, limited_by: Option<LimitedBy>) {
        let number = limited_by.map_or(u8::MAX, |limited_by| limited_by as u8);
        self.limited_by.store(number, Ordering::Relaxed);
    }
}

impl TransferState {
    fn from_number(number: u8) -> Self {
        let all = [
            Self::Preparing,
            Self::Opening,
            Self::Receiving,
            Self::BackingOff,
            Self::Verifying,
        ];
        all.into_iter()
            .find(|state| *state as u8 == number)
            .unwrap_or(Self::Ended)
    }
}

impl LimitedBy {
    fn from_number(number: u8) -> Option<Self> {
        let all = [Self::Hub, Self::Connection, Self::Disk, Self::Hashing];
        all.into_iter()
            .find(|limited_by| *limited_by as u8 == number)
    }
}
