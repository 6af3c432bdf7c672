//! Without a network a download waits and says so; it does not count tries and does not die in the night.

use std::ops::Range;
use std::time::Duration;

use downloader::{
    ByteStream, DownloadError, OpenReason, RetryCause, Source, SourceError, SourceErrorKind,
    TransferState,
};
use tokio::time::{Instant, sleep};

use crate::line::{Line, Troubles};
use crate::ranges::parallel;
use crate::script::{Bench, Open, Script, Step, content, failure, whole, with_moving_clock};

fn gone() -> Open {
    Open::Fail(failure(SourceErrorKind::Dns))
}

#[tokio::test(start_paused = true)]
async fn d27_d28_a_network_that_is_gone_for_long_is_waited_for() {
    let bench = Bench::new(b"model");
    let opens = (0..60).map(|_| gone()).chain([whole()]);
    let script = Script::new(b"model", opens);

    bench.download(&script).await.unwrap();

    let notices = bench.notices();
    assert_eq!(notices.len(), 60);
    for notice in notices {
        assert_eq!(notice.tries, None);
        assert!(notice.wait <= Duration::from_mins(1));
        assert_eq!(notice.cause, RetryCause::Source(SourceErrorKind::Dns));
    }
}

#[tokio::test(start_paused = true)]
async fn while_it_waits_the_meter_says_so_also_while_it_tries() {
    let bench = Bench::new(b"model");
    let script = Script::new(b"model", [gone(), gone(), Open::Hang]);
    let look = async {
        while script.asked().len() < 3 {
            tokio::task::yield_now().await;
        }
        let state = bench.snapshot().state;
        bench.cancellation.cancel();
        state
    };
    let work = async { tokio::join!(bench.download(&script), look) };
    let (result, state) = with_moving_clock(work).await;
    assert!(matches!(result, Err(DownloadError::Cancelled)));
    assert_eq!(state, TransferState::WaitingForNetwork);
}

#[tokio::test(start_paused = true)]
async fn patience_ends_with_what_was_wrong_and_what_came_is_kept() {
    let mut bench = Bench::new(b"model");
    bench.spec.limits.network_patience = Duration::from_mins(10);
    let first = Open::Body(vec![Step::Give(2), Step::Cut]);
    let script = Script::new(
        b"model",
        [first].into_iter().chain((0..500).map(|_| gone())),
    );

    let begun = Instant::now();
    let error = bench.download(&script).await.unwrap_err();

    let DownloadError::Source { source, .. } = error else {
        panic!("{error:?}");
    };
    assert_eq!(source.kind, SourceErrorKind::Dns);
    assert!(begun.elapsed() >= Duration::from_mins(10));
    assert_eq!(bench.snapshot().bytes_done, 2);
}

/// A line that is not there for a while: every range finds that out after a time of its own.
struct Unplugged {
    line: Line,
    back_at: Instant,
}

impl Source for Unplugged {
    async fn open(&self, range: Range<u64>, reason: OpenReason) -> Result<ByteStream, SourceError> {
        if Instant::now() < self.back_at {
            sleep(Duration::from_millis(range.start % 3000)).await;
            return Err(failure(SourceErrorKind::Connect));
        }
        self.line.open(range, reason).await
    }
}

#[tokio::test(start_paused = true)]
async fn d27_ranges_that_miss_the_same_network_knock_together_and_are_counted_once() {
    let content = content(200_000);
    let bench = parallel(&content, 8);
    let source = Unplugged {
        line: Line::new(&content, Troubles::NONE),
        back_at: Instant::now() + Duration::from_mins(10),
    };

    let work = downloader::download(&bench.spec, &source, &bench.meter, &bench.cancellation);
    let verified = with_moving_clock(work).await.unwrap();

    assert_eq!(std::fs::read(verified.path()).unwrap(), content);
    let tries: Vec<u32> = bench.notices().iter().map(|it| it.try_number).collect();
    let in_order: Vec<u32> = (2..).take(tries.len()).collect();
    assert_eq!(tries, in_order);
}

#[tokio::test(start_paused = true)]
async fn d27_a_partition_of_ten_minutes_in_a_body_goes_on_at_the_same_byte() {
    let bench = Bench::new(b"model");
    let begun = Instant::now();
    let stalled = Open::Body(vec![Step::Give(2), Step::Hang]);
    let unreachable = (0..20).map(|_| Open::Fail(failure(SourceErrorKind::Connect)));
    let script = Script::new(
        b"model",
        [stalled].into_iter().chain(unreachable).chain([whole()]),
    );

    bench.download(&script).await.unwrap();

    let causes: Vec<_> = bench.notices().iter().map(|notice| notice.cause).collect();
    assert!(matches!(causes[0], RetryCause::Stalled(_)), "{causes:?}");
    let connect = RetryCause::Source(SourceErrorKind::Connect);
    assert_eq!(causes[1..], [connect; 20]);
    assert_eq!(script.asked().last().unwrap().0, 2..5);
    assert!(begun.elapsed() > Duration::from_secs(30));
}
