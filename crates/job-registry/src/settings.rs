//! How a registry works, and its clock.

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use hive_api::{HEARTBEAT_SECONDS, Job};
use jiff::{Timestamp, Unit};

/// The time of day, as an input; to the millisecond.
#[derive(Clone)]
pub struct WallClock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl WallClock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self::new(Timestamp::now)
    }

    /// A clock of the caller's.
    pub fn new(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    pub(crate) fn now(&self) -> Timestamp {
        let now = (self.0)();
        now.round(Unit::Millisecond).unwrap_or(now)
    }
}

impl fmt::Debug for WallClock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("WallClock")
    }
}

/// Is told of every write to the database how long it took, from the wait for the connection to the end of the sync,
/// of a write that failed too. Called on the registry's own task, so it must neither wait nor panic.
#[derive(Clone)]
pub struct WriteObserver(Arc<dyn Fn(Duration) + Send + Sync>);

impl WriteObserver {
    /// Nobody.
    pub fn none() -> Self {
        Self::new(|_| {})
    }

    /// An observer of the caller's.
    pub fn new(wrote: impl Fn(Duration) + Send + Sync + 'static) -> Self {
        Self(Arc::new(wrote))
    }

    pub(crate) fn wrote(&self, took: Duration) {
        (self.0)(took);
    }
}

impl fmt::Debug for WriteObserver {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("WriteObserver")
    }
}

/// Looks up what the work of a job has left that its next start goes on from, in bytes; `None` where that cannot be
/// told. Asked at the start about each job whose work was cut off by the end of the process.
#[derive(Clone)]
pub struct LeftBytes(Arc<dyn Fn(Job) -> BoxFuture<'static, Option<u64>> + Send + Sync>);

impl LeftBytes {
    /// Nothing can be told.
    pub fn unknown() -> Self {
        Self::new(|_| Box::pin(async { None }))
    }

    /// A look-up of the caller's.
    pub fn new(
        look_up: impl Fn(Job) -> BoxFuture<'static, Option<u64>> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(look_up))
    }

    pub(crate) async fn of(&self, job: &Job) -> Option<u64> {
        (self.0)(job.clone()).await
    }
}

impl fmt::Debug for LeftBytes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("LeftBytes")
    }
}

/// How a registry works.
#[derive(Clone, Debug)]
pub struct RegistrySettings {
    /// The database's file; made with mode 0600 if it is not there.
    pub database: PathBuf,
    /// Jobs that run at once, at least one.
    pub max_running: usize,
    /// Jobs that have not ended; one more is refused until one of them ends.
    pub max_unfinished: usize,
    /// Time between two heartbeats of a watch.
    pub heartbeat: Duration,
    /// Log lines that are kept of each job; state, phase and last events are always kept.
    pub log_lines_kept: u32,
    /// Ended jobs that are kept; beyond them the one that ended first goes first. A hundredth more may be there.
    pub keep_jobs: u32,
    /// How long an ended job is kept, to the hour.
    pub keep_jobs_for: Duration,
    /// The time of day.
    pub wall_clock: WallClock,
    /// Who is told how long writes to the database take.
    pub on_write: WriteObserver,
    /// What the work of a job that a crash cut off has left.
    pub left_bytes: LeftBytes,
}

impl RegistrySettings {
    /// Four slots, twenty thousand unfinished jobs, a heartbeat every five seconds, a thousand log lines a job, ten thousand
    /// ended jobs for a week.
    pub fn new(database: impl Into<PathBuf>) -> Self {
        Self {
            database: database.into(),
            max_running: 4,
            max_unfinished: 20_000,
            heartbeat: Duration::from_secs(HEARTBEAT_SECONDS.into()),
            log_lines_kept: 1_000,
            keep_jobs: 10_000,
            keep_jobs_for: Duration::from_hours(7 * 24),
            wall_clock: WallClock::system(),
            on_write: WriteObserver::none(),
            left_bytes: LeftBytes::unknown(),
        }
    }
}
