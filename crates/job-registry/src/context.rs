//! What the work of a job sees of the registry: its operation, its cancellation, and where it tells how it goes.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use hive_api::{JobId, JobResult, LogLevel, Operation, Phase, PlanSummary, Problem, Progress};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::sleep,
};
use tokio_util::sync::CancellationToken;

use crate::{
    live::LiveJob,
    scheduler::{Entry, Recorded, Request, TRY_AGAIN_AFTER},
};

/// The work of a job, from its context to its result.
///
/// A panic in it fails the job with the code `internal`. When it returns, nothing of it may run any more.
pub type RunJob =
    Arc<dyn Fn(JobContext) -> BoxFuture<'static, Result<JobResult, WorkError>> + Send + Sync>;

/// Why the work of a job did not do what was asked.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum WorkError {
    /// It was told to stop, and has.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// It could not, for this reason.
    #[error("the work failed")]
    Failed(Box<Problem>),
}

impl From<Problem> for WorkError {
    fn from(problem: Problem) -> Self {
        Self::Failed(Box::new(problem))
    }
}

/// The job is to stop, or this start of it is over: the work returns as soon as it can.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the job was told to stop")]
pub struct Stopped;

/// A line of a job's story.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// How much it matters.
    pub level: LogLevel,
    /// What happened, one sentence without a full stop.
    pub message: String,
    /// The stable code of what happened, where it has one.
    pub code: Option<String>,
    /// Which try this is about, from 1, where it is about one.
    pub try_number: Option<u32>,
}

impl LogLine {
    /// A line of this level.
    pub fn new(level: LogLevel, message: impl Into<String>) -> Self {
        Self {
            level,
            message: message.into(),
            code: None,
            try_number: None,
        }
    }

    /// A step of the story.
    pub fn info(message: impl Into<String>) -> Self {
        Self::new(LogLevel::Info, message)
    }

    /// Something went wrong and the job goes on.
    pub fn warning(message: impl Into<String>) -> Self {
        Self::new(LogLevel::Warning, message)
    }

    /// Names what happened.
    #[must_use]
    pub fn with_code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// Says which try it is about, from 1.
    #[must_use]
    pub const fn with_try(mut self, try_number: u32) -> Self {
        self.try_number = Some(try_number);
        self
    }
}

/// One start of a job, as its work sees it.
#[derive(Clone, Debug)]
pub struct JobContext {
    pub(crate) operation: Arc<Operation>,
    pub(crate) attempt: u32,
    pub(crate) cancellation: CancellationToken,
    pub(crate) live: Arc<LiveJob>,
    pub(crate) requests: mpsc::Sender<Request>,
}

impl JobContext {
    /// The job's id.
    pub fn job_id(&self) -> JobId {
        self.live.id()
    }

    /// Which start of the job this is, from 1.
    pub const fn attempt(&self) -> u32 {
        self.attempt
    }

    /// What to do.
    pub fn operation(&self) -> &Operation {
        &self.operation
    }

    /// The most bytes a second it may receive, or none for no limit of its own; changes while the work runs.
    pub fn limit_bytes_per_second(&self) -> watch::Receiver<Option<u64>> {
        self.live.limit_bytes_per_second()
    }

    /// Fires when the work is to stop: for a cancel, a pause and the stop of the hive alike.
    pub const fn cancellation(&self) -> &CancellationToken {
        &self.cancellation
    }

    /// Enters a phase. Entering the present one changes nothing, and nothing follows `publishing`.
    pub async fn phase(&self, phase: Phase) -> Result<(), Stopped> {
        self.record(Entry::Phase(phase)).await.map(drop)
    }

    /// Begins to publish: the one compare-and-set that a cancel can lose. After an `Ok` a cancel comes too late and
    /// the work must publish; after [`Stopped`] it must not. Waits for a database that refuses it, on a full disk say,
    /// until it is told to stop.
    pub async fn begin_publishing(&self) -> Result<(), Stopped> {
        while self.record(Entry::Phase(Phase::Publishing)).await? == Recorded::NotYet {
            let pause = sleep(TRY_AGAIN_AFTER);
            let paused = self.cancellation.run_until_cancelled(pause).await;
            paused.ok_or(Stopped)?;
        }
        Ok(())
    }

    /// Adds a line to the log; lines that follow on each other fast are written, and seen, together within a second.
    /// Work that is being stopped may still tell why that takes its time.
    pub async fn log(&self, line: LogLine) -> Result<(), Stopped> {
        let attempt = self.attempt;
        self.ask(|job_id, reply| Request::Log {
            job_id,
            attempt,
            line,
            reply,
        })
        .await
    }

    /// Keeps the plan on the job and adds it to the log as a line with the code `planned`.
    pub async fn planned(&self, plan: PlanSummary, message: String) -> Result<(), Stopped> {
        let entry = Entry::Planned(Box::new(plan), message);
        self.record(entry).await.map(drop)
    }

    /// Reports how far it is: latest wins, never waits, kept in memory until the next change of the job.
    pub fn progress(&self, progress: Progress) {
        self.live.report_progress(self.attempt, progress);
    }

    /// Reports the bytes that are received, not published, and stay for a later start of the job.
    pub fn partial_bytes_kept(&self, bytes: u64) {
        self.live.report_partial_bytes_kept(self.attempt, bytes);
    }

    /// Notes that bytes came over the network in this start, so that earlier crashes of the hive count against the
    /// job no more. Bytes that were here already, or are hashed again, are none of these. Costs nothing when repeated.
    pub async fn bytes_received(&self) -> Result<(), Stopped> {
        if !self.live.has_crashes() {
            return Ok(());
        }
        let attempt = self.attempt;
        self.ask(|job_id, reply| Request::ForgetCrashes {
            job_id,
            attempt,
            reply,
        })
        .await
    }

    async fn record(&self, entry: Entry) -> Result<Recorded, Stopped> {
        let attempt = self.attempt;
        self.ask(|job_id, reply| Request::Record {
            job_id,
            attempt,
            entry,
            reply,
        })
        .await
    }

    async fn ask<T>(
        &self,
        request: impl FnOnce(JobId, oneshot::Sender<Result<T, Stopped>>) -> Request,
    ) -> Result<T, Stopped> {
        let (reply, answer) = oneshot::channel();
        let request = request(self.job_id(), reply);
        self.requests.send(request).await.map_err(|_| Stopped)?;
        answer.await.unwrap_or(Err(Stopped))
    }
}
