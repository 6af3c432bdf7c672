//! Jobs at one origin get equal parts of it, however many files each has.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use downloader::{
    ByteStream, ConnectionBudget, ConnectionShare, DownloadError, LimitedBy, OpenReason,
    RateLimiter, RateLimits, Source, SourceError,
};
use futures_util::future::join_all;
use futures_util::stream;
use tokio::time::{Instant, advance, sleep};
use tokio_util::sync::CancellationToken;

use crate::script::{Bench, content};

/// An origin that gives every connection the same.
#[derive(Clone)]
struct Origin {
    content: Bytes,
    open: Arc<AtomicUsize>,
    /// Bytes a second of all connections together.
    together: f64,
    /// Bytes a second of each.
    each: f64,
}

/// Counts a body as open for as long as it lives.
struct Opened(Arc<AtomicUsize>);

impl Drop for Opened {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Origin {
    fn new(content: &[u8]) -> Self {
        Self {
            content: Bytes::copy_from_slice(content),
            open: Arc::default(),
            together: f64::INFINITY,
            each: f64::INFINITY,
        }
    }

    /// What a connection brings in a time in which the same number of them is open.
    fn brought_in(&self, time: Duration) -> usize {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a few connections and a few megabytes"
        )]
        let bytes = {
            let of_one = self.together / self.open.load(Ordering::SeqCst) as f64;
            (of_one.min(self.each) * time.as_secs_f64()) as usize
        };
        bytes.max(1)
    }
}

impl Source for Origin {
    async fn open(&self, range: Range<u64>, _: OpenReason) -> Result<ByteStream, SourceError> {
        let offset = |offset| usize::try_from(offset).unwrap();
        let rest = self.content.slice(offset(range.start)..offset(range.end));
        self.open.fetch_add(1, Ordering::SeqCst);
        let opened = Opened(Arc::clone(&self.open));
        let state = (self.clone(), rest, Instant::now(), opened);
        Ok(Box::pin(stream::unfold(
            state,
            |(origin, mut rest, at, opened)| async move {
                if rest.is_empty() {
                    return None;
                }
                sleep(Duration::from_millis(20)).await;
                let bytes = origin.brought_in(at.elapsed()).min(rest.len());
                let chunk = rest.split_to(bytes);
                Some((Ok(chunk), (origin, rest, Instant::now(), opened)))
            },
        )))
    }
}

/// The files that one job downloads at the same time.
struct Job {
    files: Vec<Bench>,
}

impl Job {
    fn new(share: &ConnectionShare, content: &[u8], files: usize) -> Self {
        let files = (0..files).map(|_| {
            let mut bench = Bench::new(content);
            bench.spec.connections = share.clone();
            bench.spec.limits.split_from_bytes = 1;
            bench.spec.limits.shortest_range_bytes = 16 * 1024;
            bench
        });
        Self {
            files: files.collect(),
        }
    }

    fn received(&self) -> u64 {
        let files = self.files.iter();
        files.map(|file| file.snapshot().bytes_received).sum()
    }

    fn connections(&self) -> u32 {
        let files = self.files.iter();
        files.map(|file| file.snapshot().connections).sum()
    }

    fn is_held(&self) -> bool {
        let mut files = self.files.iter();
        files.all(|file| file.snapshot().limited_by == Some(LimitedBy::RateLimit))
    }

    /// Whether a disk or a hash is waited for, which is real time.
    fn is_writing(&self) -> bool {
        let mut files = self.files.iter();
        files.any(|file| {
            let limited_by = file.snapshot().limited_by;
            matches!(limited_by, Some(LimitedBy::Disk | LimitedBy::Hashing))
        })
    }

    /// Downloads until it is stopped, which comes before anything has ended.
    async fn run(&self, origin: &Origin, stop: &CancellationToken) {
        let files = self.files.iter().map(|file| async {
            let download = downloader::download(&file.spec, origin, &file.meter, stop);
            download.await.unwrap_err().reason
        });
        for reason in join_all(files).await {
            assert!(matches!(reason, DownloadError::Cancelled), "{reason:?}");
        }
    }
}

/// Waits until a condition holds. The clock moves meanwhile.
async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::task::yield_now().await;
    }
}

/// Runs `work` under a clock that moves on, and stands still while a disk of a job is waited for: a slow one must not
/// look like a slow line.
async fn under_a_clock<T>(jobs: [&Job; 2], work: impl Future<Output = T>) -> T {
    let deadline = Instant::now() + Duration::from_hours(1);
    let clock = async {
        while Instant::now() < deadline {
            advance(Duration::from_millis(10)).await;
            until(|| !jobs.iter().any(|job| job.is_writing())).await;
        }
        panic!("the jobs did not come to the end of the test in an hour");
    };
    tokio::select! {
        biased;
        result = work => result,
        () = clock => unreachable!(),
    }
}

/// Runs a job and a later one; the parts of the bytes that each has from the first byte of the later one on, in percent.
async fn parts(origin: &Origin, first: &Job, second: &Job) -> [u64; 2] {
    let stop = CancellationToken::new();
    let watching = async {
        until(|| first.received() > 2_000_000).await;
        let later = async {
            until(|| second.received() > 0).await;
            let before = [first.received(), second.received()];
            let since = || [first.received() - before[0], second.received() - before[1]];
            until(|| since().iter().sum::<u64>() > 8_000_000).await;
            stop.cancel();
            since()
        };
        let (received, ()) = tokio::join!(later, second.run(origin, &stop));
        received
    };
    let all = async { tokio::join!(watching, first.run(origin, &stop)) };
    let (received, ()) = under_a_clock([first, second], all).await;
    received.map(|bytes| bytes * 100 / received.iter().sum::<u64>())
}

#[tokio::test(start_paused = true)]
async fn jobs_of_sixteen_files_and_of_one_get_forty_percent_at_least_where_the_line_is_full() {
    let content = content(12_000_000);
    let origin = Origin {
        together: 400_000.0,
        ..Origin::new(&content)
    };
    for files in [[16, 1], [1, 16], [1, 1], [4, 1]] {
        let budget = ConnectionBudget::new(16);
        let [first, second] = files.map(|files| Job::new(&budget.share(), &content, files));
        let parts = parts(&origin, &first, &second).await;
        assert!(parts.iter().all(|part| *part >= 40), "{files:?}: {parts:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn jobs_get_forty_percent_at_least_where_each_connection_is_limited() {
    let content = content(12_000_000);
    let origin = Origin {
        each: 25_000.0,
        ..Origin::new(&content)
    };
    for files in [[16, 1], [1, 16], [1, 1], [4, 1]] {
        let budget = ConnectionBudget::new(16);
        let [first, second] = files.map(|files| Job::new(&budget.share(), &content, files));
        let parts = parts(&origin, &first, &second).await;
        assert!(parts.iter().all(|part| *part >= 40), "{files:?}: {parts:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn jobs_get_forty_percent_at_least_under_the_limit_of_their_hive() {
    let content = content(12_000_000);
    let origin = Origin {
        together: 4_000_000.0,
        ..Origin::new(&content)
    };
    let budget = ConnectionBudget::new(16);
    let hive = RateLimiter::new(Some(400_000));
    let mut jobs = [4, 1].map(|files| Job::new(&budget.share(), &content, files));
    for file in jobs.iter_mut().flat_map(|job| &mut job.files) {
        file.spec.rate_limits = RateLimits::new(hive.clone());
    }
    let parts = parts(&origin, &jobs[0], &jobs[1]).await;
    assert!(parts.iter().all(|part| *part >= 40), "{parts:?}");
}

#[tokio::test(start_paused = true)]
async fn a_job_with_a_limit_of_its_own_leaves_the_connections_to_the_other() {
    let content = content(12_000_000);
    let origin = Origin {
        each: 25_000.0,
        ..Origin::new(&content)
    };
    let budget = ConnectionBudget::new(16);
    let [limited, free] = [1, 1].map(|files| Job::new(&budget.share(), &content, files));
    let mut limited = limited;
    let limit = RateLimiter::new(None);
    let limits = RateLimits::new(RateLimiter::new(None));
    let _guard = limits.join(limit.clone());
    limited.files[0].spec.rate_limits = limits;
    let stop = CancellationToken::new();
    let watching = async {
        until(|| limited.connections() == 16).await;
        limit.set_limit(Some(5_000));
        until(|| limited.is_held()).await;
        let other = async {
            until(|| free.connections() == 15 && limited.connections() == 1).await;
            stop.cancel();
        };
        tokio::join!(other, free.run(&origin, &stop));
    };
    let all = async { tokio::join!(watching, limited.run(&origin, &stop)) };
    under_a_clock([&limited, &free], all).await;
}
