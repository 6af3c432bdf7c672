//! A body that gives nothing is seen; one that is slow, or waits for us, is let be.

use std::time::Duration;

use downloader::{DownloadError, LimitedBy, RetryCause, Stall, TransferState};
use tokio::time::Instant;

use crate::script::{Bench, Open, Script, Step, content, drip, whole, with_moving_clock};

#[tokio::test(start_paused = true)]
async fn d1_a_body_without_a_byte_for_thirty_seconds_is_tried_again_from_where_it_was() {
    let content = content(50_000);
    let bench = Bench::new(&content);
    let stalled = Open::Body(vec![Step::Give(10_000), Step::Hang]);
    let script = Script::new(&content, [stalled, whole()]);

    bench.download(&script).await.unwrap();

    let notices = bench.notices();
    assert_eq!(notices.len(), 1);
    let RetryCause::Stalled(Stall::NoBytes(time)) = notices[0].cause else {
        panic!("{notices:?}");
    };
    assert_eq!(time.as_secs(), 30);
    assert_eq!(notices[0].bytes_kept, 10_000);
    assert_eq!(script.asked()[1].0.start, 10_000);
}

#[tokio::test(start_paused = true)]
async fn d1_a_body_that_stalls_at_every_try_is_given_up_as_stalled() {
    let bench = Bench::new(b"model");
    let script = Script::new(b"model", (0..8).map(|_| Open::Body(vec![Step::Hang])));
    let error = bench.download(&script).await.unwrap_err();
    assert!(
        matches!(error, DownloadError::Stalled { tries: 8, .. }),
        "{error:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn d3_a_body_that_trickles_is_a_stall() {
    let content = content(50_000);
    let bench = Bench::new(&content);
    let trickle = drip(Duration::from_secs(1), 1, 600);
    let script = Script::new(&content, [trickle, whole()]);

    bench.download(&script).await.unwrap();

    let notices = bench.notices();
    assert_eq!(notices.len(), 1);
    let RetryCause::Stalled(Stall::TooSlow { bytes, over }) = notices[0].cause else {
        panic!("{notices:?}");
    };
    assert!((50..70).contains(&bytes), "{bytes}");
    assert_eq!(over, Duration::from_mins(1));
}

#[tokio::test(start_paused = true)]
async fn d3_a_body_that_is_slow_and_steady_is_never_given_up() {
    let content = content(300 * 50 * 1024);
    let mut bench = Bench::new(&content);
    bench.spec.limits.connections = 1;
    let slow = drip(Duration::from_secs(1), 50 * 1024, 300);
    let script = Script::new(&content, [slow]);

    let begun = Instant::now();
    bench.download(&script).await.unwrap();

    assert!(begun.elapsed() >= Duration::from_mins(5));
    assert_eq!(bench.notices(), []);
}

#[tokio::test(start_paused = true)]
async fn time_in_which_our_own_disk_and_hash_were_busy_is_no_stall() {
    let content = content(64 * 1024 * 1024);
    let mut bench = Bench::new(&content);
    bench.spec.limits.batches = 1;
    bench.spec.limits.connections = 1;
    // Under the moving clock each moment of the writing thread is many seconds.
    let script = Script::new(&content, [Open::Body(vec![Step::Rest(1024 * 1024)])]);

    let begun = Instant::now();
    bench.download(&script).await.unwrap();

    assert!(
        begun.elapsed() > bench.spec.limits.slow_window,
        "the writer was never waited for: {:?}",
        begun.elapsed()
    );
    assert_eq!(bench.notices(), []);
}

#[tokio::test(start_paused = true)]
async fn the_meter_says_what_a_silent_transfer_waits_for() {
    let bench = Bench::new(b"model");
    let script = Script::new(b"model", [Open::Body(vec![Step::Give(2), Step::Hang])]);
    let look = async {
        while bench.snapshot().bytes_done < 2 || bench.snapshot().idle.as_secs() < 20 {
            tokio::task::yield_now().await;
        }
        let figures = bench.snapshot();
        bench.cancellation.cancel();
        figures
    };
    let work = downloader::download(&bench.spec, &script, &bench.meter, &bench.cancellation);

    let (figures, result) = with_moving_clock(async { tokio::join!(look, work) }).await;

    assert!(matches!(
        result.unwrap_err().reason,
        DownloadError::Cancelled
    ));
    assert_eq!(figures.bytes_done, 2);
    assert_eq!(figures.try_number, 1);
    assert_eq!(figures.state, TransferState::Receiving);
    assert_eq!(figures.limited_by, Some(LimitedBy::Connection));
}
