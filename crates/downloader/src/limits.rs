//! Every limit of a download in one place, so that a test can use small ones.

use std::time::Duration;

const MIB: u64 = 1024 * 1024;

/// How long to wait, how often to try, how much to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest that a source may take to open a range, over all its redirects and renewals. A last resort:
    /// the source has tighter limits for each request.
    pub open: Duration,
    /// A body that gives no byte for this long is a stall. Only time in which we were ready to read counts.
    pub idle: Duration,
    /// A body that averages less than this over [`Self::slow_window`] is a stall.
    pub slow_bytes_per_second: u64,
    /// The time over which the average is taken. Only time in which we were ready to read counts.
    pub slow_window: Duration,
    /// How long a source that gave all bytes is given to end its body, so that the connection can be used again.
    pub end_of_body: Duration,
    /// Tries without one new byte before the download is given up.
    pub tries: u32,
    /// The same for answers that were refused as wrong rather than missing: asking often does not help.
    pub tries_refused: u32,
    /// The back-off before the second try; it doubles with each further one, with full jitter.
    pub backoff_base: Duration,
    /// The longest back-off.
    pub backoff_cap: Duration,
    /// The longest that a server's `Retry-After` is heeded.
    pub retry_after_cap: Duration,
    /// How long a download waits for a network that is gone, without one new byte, before it is given up.
    pub network_patience: Duration,
    /// With how many connections a file begins.
    pub first_connections: usize,
    /// The most connections that one file uses at a time.
    pub connections: usize,
    /// A file smaller than this is fetched with one request.
    pub split_from_bytes: u64,
    /// No range is divided into parts shorter than this.
    pub shortest_range_bytes: u64,
    /// How far ahead of the hash several connections may receive: what is there must still be in the page cache
    /// when the hash comes to it, and is what is left to hash after the last byte.
    pub window_bytes: u64,
    /// Received bytes are handed to the writer in batches of about this size.
    pub batch_bytes: usize,
    /// The longest that a received byte waits for its batch to fill.
    pub batch_wait: Duration,
    /// Batches that may wait for the writer; when they are that many, nothing more is read from the source.
    pub batches: usize,
    /// Bytes that may be written and not yet synced to the disk, so that the last sync is short.
    pub unsynced_bytes: u64,
    /// Bytes after which the record is brought up to date, so that little is lost when the process dies.
    pub record_bytes: u64,
    /// How often what is on the disk for certain is recorded, so that little is lost when the machine dies.
    pub checkpoint: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            open: Duration::from_mins(2),
            idle: Duration::from_secs(30),
            slow_bytes_per_second: 1024,
            slow_window: Duration::from_mins(1),
            end_of_body: Duration::from_millis(250),
            tries: 8,
            tries_refused: 3,
            backoff_base: Duration::from_secs(1),
            backoff_cap: Duration::from_mins(1),
            retry_after_cap: Duration::from_mins(15),
            network_patience: Duration::from_hours(24),
            first_connections: 1,
            connections: 16,
            split_from_bytes: 8 * MIB,
            shortest_range_bytes: MIB,
            window_bytes: 512 * MIB,
            batch_bytes: 256 * 1024,
            batch_wait: Duration::from_millis(10),
            batches: 8,
            unsynced_bytes: 64 * MIB,
            record_bytes: 4 * MIB,
            checkpoint: Duration::from_secs(2),
        }
    }
}
