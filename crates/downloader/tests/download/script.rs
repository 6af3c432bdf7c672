//! A source that does what a test says, and one run of a download against it.

use std::collections::VecDeque;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use downloader::{
    BootId, ByteStream, ConnectionBudget, Digest, DownloadError, DownloadSpec, Limits, OnEnd,
    OpenReason, RateLimiter, RateLimits, RetryNotice, Source, SourceError, SourceErrorKind,
    TransferMeter, TransferSnapshot, VerifiedPartial, download,
};
use futures_util::stream;
use sha2::Digest as _;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::time::{Instant, advance};
use tokio_util::sync::CancellationToken;

use crate::line::Line;

/// What a source does when it is asked to open a range.
pub(crate) enum Open {
    Fail(SourceError),
    Hang,
    Body(Vec<Step>),
}

/// What a body does next. After the last step it ends.
pub(crate) enum Step {
    /// Gives this many bytes of the file, from where it is, as one chunk.
    Give(usize),
    /// Gives all that is left of the file, in chunks of this size.
    Rest(usize),
    /// Gives bytes of its own.
    Foreign(Vec<u8>),
    Wait(Duration),
    Hang,
    Cut,
}

pub(crate) struct Script {
    content: Bytes,
    opens: Mutex<VecDeque<Open>>,
    asked: Mutex<Vec<(Range<u64>, OpenReason)>>,
    open_bodies: &'static AtomicUsize,
}

/// Counts a body as open for as long as it lives.
struct BodyGuard(&'static AtomicUsize);

impl Drop for BodyGuard {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Script {
    pub(crate) fn new(content: &[u8], opens: impl IntoIterator<Item = Open>) -> Self {
        Self {
            content: Bytes::copy_from_slice(content),
            opens: Mutex::new(opens.into_iter().collect()),
            asked: Mutex::new(Vec::new()),
            open_bodies: Box::leak(Box::new(AtomicUsize::new(0))),
        }
    }

    /// The ranges that were asked for, and why.
    pub(crate) fn asked(&self) -> Vec<(Range<u64>, OpenReason)> {
        self.asked.lock().unwrap().clone()
    }

    pub(crate) fn open_bodies(&self) -> usize {
        self.open_bodies.load(Ordering::SeqCst)
    }

    fn body(&self, range: Range<u64>, steps: Vec<Step>) -> ByteStream {
        self.open_bodies.fetch_add(1, Ordering::SeqCst);
        let guard = BodyGuard(self.open_bodies);
        let offset = |offset| usize::try_from(offset).unwrap();
        let rest = self.content.slice(offset(range.start)..offset(range.end));
        let state = (guard, rest, VecDeque::from(steps));
        Box::pin(stream::unfold(
            state,
            |(guard, mut rest, mut steps)| async {
                let item = next_item(&mut rest, &mut steps).await?;
                Some((item, (guard, rest, steps)))
            },
        ))
    }
}

async fn next_item(
    rest: &mut Bytes,
    steps: &mut VecDeque<Step>,
) -> Option<Result<Bytes, SourceError>> {
    loop {
        match steps.pop_front()? {
            Step::Give(length) => return Some(Ok(rest.split_to(length))),
            Step::Rest(length) if rest.len() > length => {
                steps.push_front(Step::Rest(length));
                return Some(Ok(rest.split_to(length)));
            }
            Step::Rest(_) => return Some(Ok(std::mem::take(rest))),
            Step::Foreign(bytes) => return Some(Ok(bytes.into())),
            Step::Wait(time) => tokio::time::sleep(time).await,
            Step::Hang => std::future::pending().await,
            Step::Cut => return Some(Err(failure(SourceErrorKind::Cut))),
        }
    }
}

impl Source for Script {
    async fn open(&self, range: Range<u64>, reason: OpenReason) -> Result<ByteStream, SourceError> {
        self.asked.lock().unwrap().push((range.clone(), reason));
        let next = self.opens.lock().unwrap().pop_front();
        match next.unwrap_or_else(|| panic!("the source was asked once more than scripted")) {
            Open::Fail(error) => Err(error),
            Open::Hang => std::future::pending().await,
            Open::Body(steps) => Ok(self.body(range, steps)),
        }
    }
}

pub(crate) fn failure(kind: SourceErrorKind) -> SourceError {
    SourceError::new(kind, "as scripted")
}

/// All of the file in ordinary chunks.
pub(crate) fn whole() -> Open {
    Open::Body(vec![Step::Rest(16 * 1024)])
}

/// A body that gives `bytes` after `pause`, so many times.
pub(crate) fn drip(pause: Duration, bytes: usize, times: usize) -> Open {
    let steps = (0..times).flat_map(|_| [Step::Wait(pause), Step::Give(bytes)]);
    Open::Body(steps.collect())
}

/// Bytes without a short period.
pub(crate) fn content(length: usize) -> Vec<u8> {
    (0..length as u64)
        .map(|index| (index.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8)
        .collect()
}

pub(crate) fn sha256(content: &[u8]) -> Digest {
    Digest::Sha256(sha2::Sha256::digest(content).into())
}

/// A place for one download, and what is known of it.
pub(crate) struct Bench {
    folder: TempDir,
    pub(crate) spec: DownloadSpec,
    pub(crate) cancellation: CancellationToken,
    pub(crate) meter: TransferMeter,
    notices: Mutex<mpsc::Receiver<RetryNotice>>,
}

impl Bench {
    pub(crate) fn new(content: &[u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (retries, notices) = mpsc::channel(1024);
        Self {
            spec: DownloadSpec {
                digest: sha256(content),
                size_bytes: content.len() as u64,
                partial: folder.path().join("blob.hive-partial"),
                on_end: OnEnd::Keep,
                limits: Limits::default(),
                connections: ConnectionBudget::new(16).share(),
                rate_limits: RateLimits::new(RateLimiter::new(None)),
                boot_id: BootId::new("this boot"),
            },
            folder,
            cancellation: CancellationToken::new(),
            meter: TransferMeter::new(retries),
            notices: Mutex::new(notices),
        }
    }

    /// Downloads while the clock moves as fast as the download lets it.
    pub(crate) async fn download(&self, script: &Script) -> Result<VerifiedPartial, DownloadError> {
        let result = self.run(script).await;
        assert_eq!(script.open_bodies(), 0, "a body outlived the download");
        result
    }

    /// The same over a line.
    pub(crate) async fn download_from(
        &self,
        line: &Line,
    ) -> Result<VerifiedPartial, DownloadError> {
        let result = self.run(line).await;
        assert_eq!(line.open_bodies(), 0, "a body outlived the download");
        result
    }

    async fn run(&self, source: &impl Source) -> Result<VerifiedPartial, DownloadError> {
        let work = download(&self.spec, source, &self.meter, &self.cancellation);
        let result = with_moving_clock(work).await;
        result.map_err(|unfinished| {
            let kept = unfinished.bytes_kept;
            assert_eq!(self.snapshot().bytes_done, kept);
            assert_eq!(self.files().is_empty(), kept == 0, "{kept} bytes are kept");
            unfinished.reason
        })
    }

    /// Makes another download of the same file possible, with a meter of its own.
    pub(crate) fn renew(&mut self) {
        let (retries, notices) = mpsc::channel(1024);
        self.meter = TransferMeter::new(retries);
        self.notices = Mutex::new(notices);
        self.cancellation = CancellationToken::new();
    }

    /// The retries that were told since the last call.
    pub(crate) fn notices(&self) -> Vec<RetryNotice> {
        let mut notices = self.notices.lock().unwrap();
        std::iter::from_fn(|| notices.try_recv().ok()).collect()
    }

    pub(crate) fn snapshot(&self) -> TransferSnapshot {
        self.meter.snapshot()
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }
}

/// Runs `work` under a clock that jumps on whenever the work waits for anything, real or not.
pub(crate) async fn with_moving_clock<T>(work: impl Future<Output = T>) -> T {
    let deadline = Instant::now() + Duration::from_hours(100);
    let clock = async {
        while Instant::now() < deadline {
            advance(Duration::from_millis(50)).await;
        }
        panic!("the download did not end in a hundred hours");
    };
    tokio::select! {
        biased;
        result = work => result,
        () = clock => unreachable!(),
    }
}
