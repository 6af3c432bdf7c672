//! The download itself: open, receive, retry, verify; and an end after which nothing of it runs.

mod receive;

use std::path::PathBuf;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use self::receive::{Reception, Stop};
use crate::writer::{Writer, Written};
use crate::{
    Digest, DownloadError, LimitedBy, Limits, OpenReason, RetryCause, RetryNotice, Source,
    TransferMeter, TransferState, VerifiedPartial,
};

/// What to download, and where to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DownloadSpec {
    /// The hash that the bytes must have.
    pub digest: Digest,
    /// How many bytes there are.
    pub size_bytes: u64,
    /// The file that receives them. Its folder must exist; a file that is there already is removed.
    pub partial: PathBuf,
    /// How long to wait, how often to try, how much to hold.
    pub limits: Limits,
}

/// Downloads one file and verifies it.
///
/// One connection at a time; a try that breaks off is followed by another that goes on from the last byte. Bytes
/// with a wrong hash are thrown away and fetched once more from the start. Every retry is told to `meter`.
///
/// Whatever ends without a verified file leaves none. After a cancel the connection is closed at once, and when the
/// function returns nothing of the download runs any more: end it by `cancellation` and await it, rather than
/// dropping the future, which leaves the writing thread to end by itself a moment later.
pub async fn download(
    spec: &DownloadSpec,
    source: &impl Source,
    meter: &TransferMeter,
    cancellation: &CancellationToken,
) -> Result<VerifiedPartial, DownloadError> {
    let result = fetch_and_verify(spec, source, meter, cancellation).await;
    if result.is_err() {
        meter.thrown_away();
    }
    meter.set_state(TransferState::Ended);
    meter.set_limited_by(None);
    result
}

async fn fetch_and_verify(
    spec: &DownloadSpec,
    source: &impl Source,
    meter: &TransferMeter,
    cancellation: &CancellationToken,
) -> Result<VerifiedPartial, DownloadError> {
    let wrong = match fetch(spec, source, meter, cancellation, OpenReason::First).await? {
        Fetched::Verified(verified) => return Ok(verified),
        Fetched::Mismatch(wrong) => wrong,
    };
    meter.thrown_away();
    let notice = RetryNotice {
        cause: RetryCause::IntegrityMismatch,
        try_number: 2,
        tries: 2,
        wait: Duration::ZERO,
        bytes_kept: 0,
        detail: format!("expected hash {}, received bytes with {wrong}", spec.digest),
    };
    let told = cancellation.run_until_cancelled(meter.retry(notice)).await;
    told.ok_or(DownloadError::Cancelled)?;

    let after = RetryCause::IntegrityMismatch;
    let reason = OpenReason::Retry { after };
    match fetch(spec, source, meter, cancellation, reason).await? {
        Fetched::Verified(verified) => Ok(verified),
        Fetched::Mismatch(actual) => Err(DownloadError::IntegrityMismatch {
            expected: spec.digest,
            actual,
        }),
    }
}

/// A whole file that came.
enum Fetched {
    Verified(VerifiedPartial),
    Mismatch(Digest),
}

/// Fetches the file from its first byte to its last. The writer has ended when this returns.
async fn fetch(
    spec: &DownloadSpec,
    source: &impl Source,
    meter: &TransferMeter,
    cancellation: &CancellationToken,
    reason: OpenReason,
) -> Result<Fetched, DownloadError> {
    let writer = Writer::start(spec, cancellation);
    // The one place where receiving is given up: whatever it awaits is dropped here, and its connection with it.
    let received = tokio::select! {
        biased;
        () = cancellation.cancelled() => Err(Stop::Cancelled),
        () = writer.ended() => Err(Stop::WriterEnded),
        received = Reception::new(spec, source, meter, &writer).receive(reason) => received,
    };
    match received {
        Ok(()) | Err(Stop::WriterEnded) => {}
        Err(Stop::Cancelled) => {
            writer.abandon().await;
            return Err(DownloadError::Cancelled);
        }
        Err(Stop::Failed(error)) => {
            writer.abandon().await;
            return Err(error);
        }
    }
    meter.set_state(TransferState::Verifying);
    meter.set_limited_by(Some(LimitedBy::Disk));
    match writer.finish().await? {
        Written::Verified(verified) => Ok(Fetched::Verified(verified)),
        Written::Mismatch(actual) => Ok(Fetched::Mismatch(actual)),
        Written::Abandoned => Err(DownloadError::Cancelled),
    }
}
