//! Sees a body that gives nothing, or next to nothing, while we are ready to read.

use std::fmt;
use std::time::Duration;

use crate::Limits;

/// How a body stalled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stall {
    /// Not one byte came for this long.
    NoBytes(Duration),
    /// The average over a time was under the floor.
    TooSlow {
        /// Bytes that came.
        bytes: u64,
        /// The time over which they came.
        over: Duration,
    },
}

impl fmt::Display for Stall {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoBytes(time) => write!(formatter, "no byte for {} s", time.as_secs()),
            Self::TooSlow { bytes, over } => {
                write!(formatter, "only {bytes} bytes in {} s", over.as_secs())
            }
        }
    }
}

/// The slots into which the window of the average is divided: how finely it slides.
const SLOTS: u32 = 12;

/// Counts bytes and the time in which we waited for them; time that we spent otherwise is never shown to it.
pub(crate) struct Watchdog {
    idle_limit: Duration,
    slot_length: Duration,
    window: Duration,
    floor_bytes: u64,
    idle: Duration,
    in_slot: Duration,
    slots: [u64; SLOTS as usize],
    slot: usize,
    slots_seen: u32,
}

impl Watchdog {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            idle_limit: limits.idle,
            slot_length: limits.slow_window / SLOTS,
            window: limits.slow_window,
            floor_bytes: floor_bytes(limits),
            idle: Duration::ZERO,
            in_slot: Duration::ZERO,
            slots: [0; SLOTS as usize],
            slot: 0,
            slots_seen: 0,
        }
    }

    /// How much longer to wait for a byte before [`Self::waited`] must be told.
    pub(crate) fn patience(&self) -> Duration {
        let idle = self.idle_limit.saturating_sub(self.idle);
        idle.min(self.slot_length.saturating_sub(self.in_slot))
    }

    /// Tells that we waited `time` and then had `bytes`, none if nothing came.
    pub(crate) fn waited(&mut self, time: Duration, bytes: u64) -> Result<(), Stall> {
        self.in_slot += time;
        self.slots[self.slot] += bytes;
        self.idle = if bytes > 0 {
            Duration::ZERO
        } else {
            self.idle + time
        };
        if self.idle >= self.idle_limit {
            return Err(Stall::NoBytes(self.idle));
        }
        while self.in_slot >= self.slot_length {
            self.close_slot()?;
        }
        Ok(())
    }

    fn close_slot(&mut self) -> Result<(), Stall> {
        self.in_slot -= self.slot_length;
        self.slots_seen += 1;
        let bytes: u64 = self.slots.iter().sum();
        if self.slots_seen >= SLOTS && bytes < self.floor_bytes {
            return Err(Stall::TooSlow {
                bytes,
                over: self.window,
            });
        }
        self.slot = (self.slot + 1) % self.slots.len();
        self.slots[self.slot] = 0;
        Ok(())
    }
}

fn floor_bytes(limits: &Limits) -> u64 {
    let milliseconds = u64::try_from(limits.slow_window.as_millis()).unwrap_or(u64::MAX);
    limits.slow_bytes_per_second.saturating_mul(milliseconds) / 1000
}
