//! Our own limits on bytes a second hold, and are neither a stall nor a reason for more connections.

use std::time::Duration;

use downloader::{DownloadError, LimitedBy, RateLimiter, RateLimits};
use tokio::time::Instant;

use crate::line::{Line, Troubles};
use crate::ranges::parallel;
use crate::script::{Bench, Open, Script, Step, content, with_moving_clock};

/// Runs a download until it has received so many bytes, then cancels it; the time of the clock that it took.
async fn until_received(bench: &Bench, line: &Line, bytes: u64) -> Duration {
    let begun = Instant::now();
    let watching = async {
        while bench.snapshot().bytes_received < bytes {
            tokio::task::yield_now().await;
        }
        bench.cancellation.cancel();
        begun.elapsed()
    };
    let (result, taken) = tokio::join!(bench.download_from(line), watching);
    assert!(matches!(result.unwrap_err(), DownloadError::Cancelled));
    taken
}

fn limited_to(bytes_per_second: u64) -> RateLimits {
    RateLimits::new(RateLimiter::new(Some(bytes_per_second)))
}

#[tokio::test(start_paused = true)]
async fn our_own_rate_limit_holds_and_is_named_and_is_no_stall() {
    let content = content(6_000_000);
    let mut bench = parallel(&content, 4);
    bench.spec.rate_limits = limited_to(100_000);
    let line = Line::new(&content, Troubles::NONE);
    let look = async {
        while bench.snapshot().limited_by != Some(LimitedBy::RateLimit) {
            tokio::task::yield_now().await;
        }
    };
    let begun = Instant::now();

    let work = async { tokio::join!(bench.download_from(&line), look) };
    let (result, ()) = with_moving_clock(work).await;

    result.unwrap();
    assert!(
        begun.elapsed() >= Duration::from_secs(57),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(bench.notices(), []);
}

#[tokio::test(start_paused = true)]
async fn a_low_limit_is_kept_by_several_connections_together_however_big_their_chunks() {
    let content = content(8_000_000);
    for rate in [1000, 100_000] {
        let mut bench = parallel(&content, 4);
        bench.spec.rate_limits = limited_to(rate);
        let troubles = Troubles {
            longest_chunk: 400_000,
            ..Troubles::NONE
        };
        let line = Line::new(&content, troubles);
        let taken = until_received(&bench, &line, rate * 10).await;
        assert!(taken >= Duration::from_millis(9_500), "{taken:?}");
        assert_eq!(bench.notices(), []);
    }
}

#[tokio::test(start_paused = true)]
async fn a_limit_opens_no_more_connections_and_reads_no_further_than_the_chunk_that_it_pays() {
    let content = content(30_000_000);
    for rate in [1000, 100_000] {
        let mut bench = Bench::new(&content);
        bench.spec.rate_limits = limited_to(rate);
        let line = Line::new(&content, Troubles::NONE);
        until_received(&bench, &line, rate * 10).await;
        assert_eq!(line.most_open(), 1);
        let most = line.most_alive_bytes();
        assert!(most < 256 * 1024, "{most} bytes were held at {rate}");
        assert_eq!(bench.notices(), []);
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancel_and_a_lifted_limit_end_a_wait_of_days() {
    let content = content(1_000_000);
    for is_cancel in [true, false] {
        let mut bench = Bench::new(&content);
        let limit = RateLimiter::new(Some(1));
        bench.spec.rate_limits = RateLimits::new(limit.clone());
        let line = Line::new(&content, Troubles::NONE);
        let ending_the_wait = async {
            while bench.snapshot().limited_by != Some(LimitedBy::RateLimit) {
                tokio::task::yield_now().await;
            }
            if is_cancel {
                bench.cancellation.cancel();
            } else {
                limit.set_limit(None);
            }
        };
        let (result, ()) = tokio::join!(bench.download_from(&line), ending_the_wait);
        assert_eq!(result.is_err(), is_cancel);
    }
}

#[tokio::test(start_paused = true)]
async fn a_limit_counts_what_comes_and_is_here_already() {
    let content = content(1_000_000);
    let mut bench = Bench::new(&content);
    let cut = Open::Body(vec![Step::Give(900_000), Step::Cut]);
    bench.spec.limits.tries = 1;
    bench
        .download(&Script::new(&content, [cut]))
        .await
        .unwrap_err();
    bench.renew();
    bench.spec.rate_limits = limited_to(100_000);
    let mut line = Line::new(&content, Troubles::NONE);
    line.ranges_served = 0;
    let begun = Instant::now();
    bench.download_from(&line).await.unwrap();
    assert!(
        begun.elapsed() >= Duration::from_secs(9),
        "{:?}",
        begun.elapsed()
    );
}
