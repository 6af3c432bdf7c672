//! Every limit of a download in one place, so that a test can use small ones.

use std::time::Duration;

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
    /// Received bytes are handed to the writer in batches of about this size.
    pub batch_bytes: usize,
    /// The longest that a received byte waits for its batch to fill.
    pub batch_wait: Duration,
    /// Batches that may wait for the writer; when they are that many, nothing more is read from the source.
    pub batches: usize,
    /// Bytes written before they are synced to the disk, so that the last sync is short.
    pub unsynced_bytes: u64,
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
            batch_bytes: 256 * 1024,
            batch_wait: Duration::from_millis(10),
            batches: 16,
            unsynced_bytes: 32 * 1024 * 1024,
        }
    }
}
