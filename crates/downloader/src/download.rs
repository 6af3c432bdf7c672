//! The download itself: open, receive, retry, verify; and an end after which nothing of it runs.

mod receive;

use std::path::PathBuf;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use self::receive::{Reception, Stop};
use crate::meter::Stage;
use crate::writer::{Opening, Writer, Written};
use crate::{
    BootId, ConnectionShare, Digest, DownloadError, Limits, OpenReason, RateLimits, RetryCause,
    RetryNotice, Source, TransferMeter, Unfinished, VerifiedPartial,
};

/// What to download, and where to.
#[derive(Clone, Debug)]
pub struct DownloadSpec {
    /// The hash that the bytes must have.
    pub digest: Digest,
    /// How many bytes there are.
    pub size_bytes: u64,
    /// The file that receives them; its record is beside it, with `.json` after its name. The folder must exist. A
    /// file that is there is gone on with if its record proves that it is of these bytes, else replaced.
    pub partial: PathBuf,
    /// What becomes of the bytes when the download ends without being placed.
    pub on_end: OnEnd,
    /// How long to wait, how often to try, how much to hold.
    pub limits: Limits,
    /// The connections that it shares with other downloads: those of its job, and with them those of other jobs.
    pub connections: ConnectionShare,
    /// The limits on bytes a second that hold for it.
    pub rate_limits: RateLimits,
    /// Which run of the machine this is.
    pub boot_id: BootId,
}

/// What becomes of received bytes when a download ends and they are in no other place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnEnd {
    /// They stay, with the record that lets another download go on from them.
    #[default]
    Keep,
    /// They are removed.
    Discard,
}

/// Downloads one file and verifies it.
///
/// What an earlier download left and recorded is hashed again and not fetched again. The rest comes over as many
/// connections as are worth it; a range that breaks off or stalls is tried again from its last byte. Bytes with a wrong
/// hash are thrown away and fetched once more from the start. Every retry is told to `meter`.
///
/// Whatever ends without a verified file says how much is kept for the next download. After a cancel the connections
/// are closed at once, and when the function returns nothing of the download runs any more: end it by `cancellation`
/// and await it, rather than dropping the future, which leaves the writing thread to end by itself a moment later.
pub async fn download(
    spec: &DownloadSpec,
    source: &impl Source,
    meter: &TransferMeter,
    cancellation: &CancellationToken,
) -> Result<VerifiedPartial, Unfinished> {
    let result = fetch_and_verify(spec, source, meter, cancellation).await;
    if let Err(unfinished) = &result {
        meter.set_bytes_done(unfinished.bytes_kept);
    }
    meter.set_stage(Stage::Ended);
    result
}

async fn fetch_and_verify(
    spec: &DownloadSpec,
    source: &impl Source,
    meter: &TransferMeter,
    cancellation: &CancellationToken,
) -> Result<VerifiedPartial, Unfinished> {
    let wrong = match fetch(spec, source, meter, cancellation, OpenReason::First).await? {
        Fetched::Verified(verified) => return Ok(verified),
        Fetched::Mismatch(wrong) => wrong,
    };
    meter.set_bytes_done(0);
    let notice = RetryNotice {
        cause: RetryCause::IntegrityMismatch,
        try_number: 2,
        tries: Some(2),
        wait: Duration::ZERO,
        bytes_kept: 0,
        detail: format!("expected hash {}, received bytes with {wrong}", spec.digest),
    };
    let told = cancellation.run_until_cancelled(meter.retry(notice, true));
    let told = told.await;
    told.ok_or(Unfinished::without_bytes(DownloadError::Cancelled))?;

    let after = RetryCause::IntegrityMismatch;
    let reason = OpenReason::Retry { after };
    match fetch(spec, source, meter, cancellation, reason).await? {
        Fetched::Verified(verified) => Ok(verified),
        Fetched::Mismatch(actual) => {
            let expected = spec.digest;
            let mismatch = DownloadError::IntegrityMismatch { expected, actual };
            Err(Unfinished::without_bytes(mismatch))
        }
    }
}

/// A whole file that came.
enum Fetched {
    Verified(VerifiedPartial),
    Mismatch(Digest),
}

/// Fetches all of the file that is not here. The writer has ended when this returns.
async fn fetch(
    spec: &DownloadSpec,
    source: &impl Source,
    meter: &TransferMeter,
    cancellation: &CancellationToken,
    reason: OpenReason,
) -> Result<Fetched, Unfinished> {
    let (writer, opening) = Writer::start(spec, cancellation);
    // The one place where receiving is given up: whatever it awaits is dropped here, and its connections with it.
    let received = tokio::select! {
        biased;
        () = cancellation.cancelled() => Err(Stop::Cancelled),
        () = writer.ended() => Err(Stop::WriterEnded),
        received = receive(spec, source, meter, &writer, opening, reason) => received,
    };
    let reason = match received {
        Ok(()) | Err(Stop::WriterEnded) => None,
        Err(Stop::Cancelled) => Some((DownloadError::Cancelled, spec.on_end)),
        // What came with a body that does not end is not worth keeping.
        Err(Stop::Failed(error @ DownloadError::SizeMismatch { .. })) => {
            Some((error, OnEnd::Discard))
        }
        Err(Stop::Failed(error)) => Some((error, spec.on_end)),
    };
    if let Some((reason, on_end)) = reason {
        let bytes_kept = writer.abandon(on_end).await;
        return Err(Unfinished { reason, bytes_kept });
    }
    meter.set_busy_with(writer.busy_with());
    meter.set_stage(Stage::Verifying);
    match writer.finish().await? {
        Written::Verified(verified) => Ok(Fetched::Verified(verified)),
        Written::Mismatch(actual) => Ok(Fetched::Mismatch(actual)),
        Written::Stopped { bytes_kept } => {
            let reason = DownloadError::Cancelled;
            Err(Unfinished { reason, bytes_kept })
        }
    }
}

async fn receive(
    spec: &DownloadSpec,
    source: &impl Source,
    meter: &TransferMeter,
    writer: &Writer,
    opening: Opening,
    reason: OpenReason,
) -> Result<(), Stop> {
    let here = opening.ready(|here| {
        meter.set_bytes_done(here.bytes());
        if here.bytes() > 0 {
            meter.set_stage(Stage::Rehashing);
        }
    });
    let here = here.await.map_err(|_ended| Stop::WriterEnded)?;
    meter.set_stage(Stage::Transferring);
    let reception = Reception::new(spec, source, meter, writer, here);
    reception.receive(reason).await
}
