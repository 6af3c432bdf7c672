//! What passes is tried again, as often and as late as promised, and each time the caller is told.

use std::time::Duration;

use downloader::{DownloadError, RetryCause, SourceErrorKind};
use tokio::time::Instant;

use crate::script::{Bench, Open, Script, Step, content, failure, whole};

#[tokio::test(start_paused = true)]
async fn d13_what_will_not_pass_is_not_tried_again() {
    let bench = Bench::new(b"model");
    let script = Script::new(b"model", [Open::Fail(failure(SourceErrorKind::NotFound))]);
    let error = bench.download(&script).await.unwrap_err();
    let DownloadError::Source { tries, source } = error else {
        panic!("{error:?}");
    };
    assert_eq!((tries, source.kind), (1, SourceErrorKind::NotFound));
    assert_eq!(bench.notices(), []);
}

#[tokio::test(start_paused = true)]
async fn d9_eight_tries_without_a_byte_are_the_end_and_every_one_is_told() {
    let bench = Bench::new(b"model");
    let refuse = || Open::Fail(failure(SourceErrorKind::Status(503)));
    let script = Script::new(b"model", (0..8).map(|_| refuse()));

    let error = bench.download(&script).await.unwrap_err();

    assert!(
        matches!(error, DownloadError::Source { tries: 8, .. }),
        "{error:?}"
    );
    let notices = bench.notices();
    let numbers: Vec<_> = notices.iter().map(|notice| notice.try_number).collect();
    assert_eq!(numbers, [2, 3, 4, 5, 6, 7, 8]);
    for notice in notices {
        assert_eq!(notice.tries, Some(8));
        assert_eq!(
            notice.cause,
            RetryCause::Source(SourceErrorKind::Status(503))
        );
        assert_eq!(notice.detail, "as scripted");
    }
}

#[tokio::test(start_paused = true)]
async fn d4_one_new_byte_renews_the_tries() {
    let content = content(100);
    let bench = Bench::new(&content);
    let one_byte = || Open::Body(vec![Step::Give(1), Step::Cut]);
    let opens = (0..20).map(|_| one_byte()).chain([whole()]);
    bench.download(&Script::new(&content, opens)).await.unwrap();

    let notices = bench.notices();
    assert_eq!(notices.len(), 20);
    assert!(notices.iter().all(|notice| notice.try_number == 2));
    assert_eq!(notices[19].bytes_kept, 20);
}

#[tokio::test(start_paused = true)]
async fn d10_a_server_that_asks_to_wait_is_waited_for() {
    let bench = Bench::new(b"model");
    let asked = Duration::from_mins(2);
    let limited = failure(SourceErrorKind::RateLimited).with_retry_after(asked);
    let script = Script::new(b"model", [Open::Fail(limited), whole()]);

    let begun = Instant::now();
    bench.download(&script).await.unwrap();

    assert!(begun.elapsed() >= asked);
    assert_eq!(bench.notices()[0].wait, asked);
}

#[tokio::test(start_paused = true)]
async fn d10_d26_a_server_that_asks_to_wait_for_hours_is_asked_again_after_a_quarter_of_one() {
    let bench = Bench::new(b"model");
    let limited = failure(SourceErrorKind::RateLimited).with_retry_after(Duration::from_hours(9));
    let script = Script::new(b"model", [Open::Fail(limited), whole()]);
    bench.download(&script).await.unwrap();
    assert_eq!(bench.notices()[0].wait, Duration::from_mins(15));
}

#[tokio::test(start_paused = true)]
async fn a_source_that_never_opens_is_given_up_and_asked_again() {
    let bench = Bench::new(b"model");
    let script = Script::new(b"model", [Open::Hang, whole()]);
    bench.download(&script).await.unwrap();
    assert_eq!(
        bench.notices()[0].cause,
        RetryCause::Source(SourceErrorKind::HeadersTimeout)
    );
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_no_longer_listens_does_not_stop_the_download() {
    let mut bench = Bench::new(b"model");
    let (retries, notices) = tokio::sync::mpsc::channel(1);
    drop(notices);
    bench.meter = downloader::TransferMeter::new(retries);
    let script = Script::new(b"model", [Open::Body(vec![Step::Cut]), whole()]);
    bench.download(&script).await.unwrap();
}
