//! Receiving one file from its source, over as many tries as it takes.

use bytes::Bytes;
use futures_util::StreamExt;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::DownloadSpec;
use crate::retry::{Failure, RetryBudget};
use crate::watchdog::Watchdog;
use crate::writer::{Batch, Writer, WriterEnded};
use crate::{
    ByteStream, DownloadError, LimitedBy, OpenReason, Source, SourceError, SourceErrorKind,
    TransferMeter, TransferState,
};

/// Why receiving stopped before all bytes were here.
pub(super) enum Stop {
    Cancelled,
    WriterEnded,
    Failed(DownloadError),
}

/// How one try ended before all bytes were here.
enum Interruption {
    Failure(Failure),
    TooLong,
    WriterEnded,
}

/// Bytes of a file as they come, and what is not yet handed to the writer.
pub(super) struct Reception<'a, S> {
    spec: &'a DownloadSpec,
    source: &'a S,
    meter: &'a TransferMeter,
    writer: &'a Writer,
    received_bytes: u64,
    batch: Batch,
    batch_bytes: usize,
    batch_due: Option<Instant>,
}

/// A batch is written with one `writev(2)`, which takes 1,024 pieces.
const BATCH_CHUNKS: usize = 1024;

impl<'a, S: Source> Reception<'a, S> {
    pub(super) const fn new(
        spec: &'a DownloadSpec,
        source: &'a S,
        meter: &'a TransferMeter,
        writer: &'a Writer,
    ) -> Self {
        Self {
            spec,
            source,
            meter,
            writer,
            received_bytes: 0,
            batch: Vec::new(),
            batch_bytes: 0,
            batch_due: None,
        }
    }

    /// Receives the whole file.
    pub(super) async fn receive(mut self, first: OpenReason) -> Result<(), Stop> {
        let mut budget = RetryBudget::new(&self.spec.limits);
        let mut reason = first;
        while self.received_bytes < self.spec.size_bytes {
            let failure = match self.try_once(reason).await {
                Ok(()) => return Ok(()),
                Err(Interruption::Failure(failure)) => failure,
                Err(Interruption::WriterEnded) => return Err(Stop::WriterEnded),
                Err(Interruption::TooLong) => {
                    let expected_bytes = self.spec.size_bytes;
                    return Err(Stop::Failed(DownloadError::SizeMismatch { expected_bytes }));
                }
            };
            let notice = budget
                .failed(failure, self.received_bytes, chance())
                .map_err(Stop::Failed)?;
            tracing::debug!(
                cause = ?notice.cause,
                try_number = notice.try_number,
                wait_ms = notice.wait.as_millis(),
                bytes_kept = notice.bytes_kept,
                "transfer interrupted, trying again"
            );
            reason = OpenReason::Retry {
                after: notice.cause,
            };
            let wait = notice.wait;
            self.meter.set_state(TransferState::BackingOff);
            self.meter.set_limited_by(Some(LimitedBy::Hub));
            self.meter.retry(notice).await;
            sleep(wait).await;
        }
        Ok(())
    }

    async fn try_once(&mut self, reason: OpenReason) -> Result<(), Interruption> {
        self.meter.set_state(TransferState::Opening);
        self.meter.set_limited_by(Some(LimitedBy::Hub));
        let range = self.received_bytes..self.spec.size_bytes;
        let opened = timeout(self.spec.limits.open, self.source.open(range, reason)).await;
        let mut body = opened
            .unwrap_or_else(|_| Err(too_long_to_open()))
            .map_err(|error| Interruption::Failure(Failure::Source(error)))?;

        self.meter.set_state(TransferState::Receiving);
        let received = self.read(&mut body).await;
        // What came before the interruption is kept.
        self.hand_over().await?;
        received?;
        self.expect_end(&mut body).await
    }

    /// Reads until all bytes are here or the body breaks off.
    async fn read(&mut self, body: &mut ByteStream) -> Result<(), Interruption> {
        let mut watchdog = Watchdog::new(&self.spec.limits);
        while self.received_bytes < self.spec.size_bytes {
            let asked = Instant::now();
            let patience = asked + watchdog.patience();
            let wake = self.batch_due.map_or(patience, |due| due.min(patience));
            self.meter.set_limited_by(Some(LimitedBy::Connection));
            let item = timeout_at(wake, body.next()).await;
            let now = Instant::now();
            let length = match item {
                Ok(Some(Ok(chunk))) => self.take(chunk, now)?,
                Ok(Some(Err(error))) => return Err(Interruption::Failure(Failure::Source(error))),
                Ok(None) => return Err(Interruption::Failure(Failure::Source(self.ended_early()))),
                Err(_nothing_came) => 0,
            };
            match watchdog.waited(now - asked, length) {
                Err(stall) if self.received_bytes < self.spec.size_bytes => {
                    return Err(Interruption::Failure(Failure::Stalled(stall)));
                }
                // However slowly the last byte came, it is here.
                Ok(()) | Err(_) => {}
            }
            if self.is_batch_due(now) {
                self.hand_over().await?;
            }
        }
        Ok(())
    }

    /// Adds bytes to the batch and says how many they are.
    fn take(&mut self, chunk: Bytes, now: Instant) -> Result<u64, Interruption> {
        let length = chunk.len() as u64;
        if length > self.spec.size_bytes - self.received_bytes {
            return Err(Interruption::TooLong);
        }
        if length > 0 {
            self.meter.received(length, now);
            self.received_bytes += length;
            self.batch_bytes += chunk.len();
            self.batch.push(chunk);
            let due = now + self.spec.limits.batch_wait;
            self.batch_due.get_or_insert(due);
        }
        Ok(length)
    }

    fn is_batch_due(&self, now: Instant) -> bool {
        self.batch_bytes >= self.spec.limits.batch_bytes
            || self.batch.len() >= BATCH_CHUNKS
            || self.batch_due.is_some_and(|due| due <= now)
    }

    /// Gives what has gathered to the writer.
    async fn hand_over(&mut self) -> Result<(), Interruption> {
        self.batch_bytes = 0;
        self.batch_due = None;
        if self.batch.is_empty() {
            return Ok(());
        }
        let batch = std::mem::take(&mut self.batch);
        let handed_over = self.writer.write(batch, self.meter).await;
        handed_over.map_err(|WriterEnded| Interruption::WriterEnded)
    }

    /// Looks whether the body ends where the file does. A body that neither ends nor goes on soon is left at that:
    /// all bytes are here, and their hash decides.
    async fn expect_end(&self, body: &mut ByteStream) -> Result<(), Interruption> {
        match timeout(self.spec.limits.end_of_body, body.next()).await {
            Ok(Some(Ok(chunk))) if !chunk.is_empty() => Err(Interruption::TooLong),
            _ => Ok(()),
        }
    }

    fn ended_early(&self) -> SourceError {
        let detail = format!(
            "the body ended at byte {} of {}",
            self.received_bytes, self.spec.size_bytes
        );
        SourceError::new(SourceErrorKind::Cut, detail)
    }
}

fn too_long_to_open() -> SourceError {
    let detail = "the source took too long to open the file";
    SourceError::new(SourceErrorKind::HeadersTimeout, detail)
}

/// A number from 0 to 1 for the jitter; without randomness the whole wait.
fn chance() -> f64 {
    getrandom::u32().map_or(1.0, |random| f64::from(random) / f64::from(u32::MAX))
}
