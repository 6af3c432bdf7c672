//! A cancelled download has ended when it says so: no connection, no thread, and what came is kept.

use downloader::{DownloadError, SourceErrorKind, TransferState};

use crate::script::{Bench, Open, Script, Step, content, failure, whole, with_moving_clock};

/// Cancels as soon as the transfer is in `state` and expects that nothing is left.
async fn cancel_in(state: TransferState, bench: &Bench, script: &Script) {
    let cancel = async {
        while bench.snapshot().state != state {
            tokio::task::yield_now().await;
        }
        bench.cancellation.cancel();
    };
    let (result, ()) = tokio::join!(bench.download(script), cancel);
    assert!(
        matches!(result, Err(DownloadError::Cancelled)),
        "{result:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn d32_a_cancel_while_the_source_opens() {
    let bench = Bench::new(b"model");
    let script = Script::new(b"model", [Open::Hang]);
    cancel_in(TransferState::Opening, &bench, &script).await;
}

#[tokio::test(start_paused = true)]
async fn d32_a_cancel_while_the_body_comes() {
    let content = content(1_000_000);
    let bench = Bench::new(&content);
    let script = Script::new(
        &content,
        [Open::Body(vec![Step::Give(500_000), Step::Hang])],
    );
    cancel_in(TransferState::Receiving, &bench, &script).await;
    assert_eq!(bench.snapshot().bytes_done, 500_000);
}

#[tokio::test(start_paused = true)]
async fn d32_a_cancel_while_it_waits_before_the_next_try() {
    let bench = Bench::new(b"model");
    let asked = std::time::Duration::from_hours(1);
    let error = failure(SourceErrorKind::Status(503)).with_retry_after(asked);
    let script = Script::new(b"model", [Open::Fail(error)]);
    cancel_in(TransferState::BackingOff, &bench, &script).await;
}

#[tokio::test(start_paused = true)]
async fn while_the_caller_does_not_take_its_notices() {
    let mut bench = Bench::new(b"model");
    let (retries, _never_read) = tokio::sync::mpsc::channel(1);
    retries
        .try_send(downloader::RetryNotice {
            cause: downloader::RetryCause::IntegrityMismatch,
            try_number: 2,
            tries: Some(2),
            wait: std::time::Duration::ZERO,
            bytes_kept: 0,
            detail: String::new(),
        })
        .unwrap();
    bench.meter = downloader::TransferMeter::new(retries);
    let script = Script::new(b"model", [Open::Body(vec![Step::Cut])]);
    cancel_in(TransferState::BackingOff, &bench, &script).await;
}

#[tokio::test(start_paused = true)]
async fn before_it_began() {
    let bench = Bench::new(b"model");
    bench.cancellation.cancel();
    let script = Script::new(b"model", []);
    let error = bench.download(&script).await.unwrap_err();
    assert!(matches!(error, DownloadError::Cancelled), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn d32_a_cancel_while_bytes_are_hashed_and_written_it_ends_as_cancelled_or_verified_and_never_in_between()
 {
    let content = content(7 * 1024 * 1024);
    let bench = Bench::new(&content);
    let script = Script::new(&content, [whole()]);
    let cancel = async {
        while bench.snapshot().state != TransferState::Verifying {
            tokio::task::yield_now().await;
        }
        bench.cancellation.cancel();
    };
    let work = downloader::download(&bench.spec, &script, &bench.meter, &bench.cancellation);
    let (result, ()) = with_moving_clock(async { tokio::join!(work, cancel) }).await;
    match result {
        Ok(verified) => assert_eq!(std::fs::read(verified.path()).unwrap(), content),
        Err(unfinished) => {
            assert!(matches!(unfinished.reason, DownloadError::Cancelled));
            // What the writer had not taken yet is lost, and that is little.
            let lost = bench.spec.size_bytes - unfinished.bytes_kept;
            assert!(lost <= 3 * 1024 * 1024, "{lost} bytes are lost");
        }
    }
}
