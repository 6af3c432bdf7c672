//! The handle to the registry: what the hive asks of it.

mod all_jobs;
mod health;

use std::sync::Arc;

pub use all_jobs::{AllJobs, AllJobsWatch};
use hive_api::{ChangeJob, Job, JobId, JobList, JobState, Open, SubmitJob};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::{
    ChangeError, JobWatch, LastEventId, ListError, OpenError, RegistryError, RegistrySettings,
    RunJob, SubmitError, WatchStart,
    database::{Database, Page},
    live::{LiveJob, LiveJobs},
    scheduler::{Answer, Request, Scheduler, recover},
    transition::Trigger,
};

/// Requests that wait for the scheduler before the next one has to wait outside.
const WAITING_REQUESTS: usize = 256;
/// The most jobs on one page of a list.
const PAGE_MAX: u32 = 1_000;

/// A job that someone wants done.
#[derive(Clone, Debug)]
pub struct Submission {
    /// What to do, and how urgently.
    pub request: SubmitJob,
    /// Who asks: the name of the token, or `local`. Idempotency keys are this one's own.
    pub submitted_by: String,
    /// Makes a repeated submission the same job for 24 hours.
    pub idempotency_key: Option<String>,
}

/// A job that is accepted and durable.
#[derive(Clone, Debug, PartialEq)]
pub struct Submitted {
    /// The job.
    pub job: Job,
    /// Whether an earlier submission with the same idempotency key made it.
    pub replayed: bool,
}

/// Which jobs to list.
#[derive(Clone, Debug)]
pub struct JobFilter {
    /// Only jobs in this state.
    pub state: Option<JobState>,
    /// Only jobs of this operation kind.
    pub kind: Option<String>,
    /// The most jobs on the page, up to 1,000.
    pub limit: u32,
    /// Where the page starts: the `next_cursor` of the page before.
    pub cursor: Option<String>,
}

impl Default for JobFilter {
    fn default() -> Self {
        Self {
            state: None,
            kind: None,
            limit: 50,
            cursor: None,
        }
    }
}

/// How many unfinished jobs there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JobCounts {
    /// Wait for a slot.
    pub queued: u32,
    /// Are at work: running, pausing or cancelling.
    pub running: u32,
    /// Wait for someone to resume them.
    pub paused: u32,
}

/// How many jobs of one kind are in one state, ended ones included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobCount {
    /// The state.
    pub state: Open<JobState>,
    /// The operation's kind.
    pub kind: String,
    /// How many.
    pub jobs: u64,
}

/// What the handle, the scheduler and the watches share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) settings: RegistrySettings,
    pub(crate) database: Database,
    pub(crate) live: LiveJobs,
    /// Fires when nothing of the registry runs any more.
    pub(crate) stopped: CancellationToken,
}

impl Shared {
    /// The job as a client sees it.
    pub(crate) fn present(&self, live: &LiveJob) -> Job {
        let mut job = live.job();
        job.queue_position = self.live.queue_position(live);
        self.with_heartbeat(job)
    }

    /// The job with this registry's heartbeat, in whole seconds.
    pub(crate) fn with_heartbeat(&self, mut job: Job) -> Job {
        let seconds = self.settings.heartbeat.as_secs().max(1);
        job.heartbeat_seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
        job
    }
}

/// All jobs of a hive. Clones are the same registry.
///
/// Dropping the last clone ends the work at once, as a crash would; [`shut_down`](Self::shut_down) waits for it.
#[derive(Clone, Debug)]
pub struct JobRegistry {
    shared: Arc<Shared>,
    requests: mpsc::Sender<Request>,
    stopping: CancellationToken,
    _scheduler: Arc<JoinSet<()>>,
}

impl JobRegistry {
    /// Opens the database, puts in order what an earlier hive left unfinished, and starts what is queued.
    ///
    /// One registry at a time may have a database open; who holds it is the caller's to ensure.
    pub async fn open(settings: RegistrySettings, run: RunJob) -> Result<Self, OpenError> {
        let database = Database::open(&settings.database, settings.on_write.clone()).await?;
        let shared = Arc::new(Shared {
            database,
            live: LiveJobs::default(),
            stopped: CancellationToken::new(),
            settings,
        });
        recover(&shared)
            .await
            .map_err(|source| OpenError::Recover {
                path: shared.settings.database.clone(),
                source,
            })?;
        let (requests, incoming) = mpsc::channel(WAITING_REQUESTS);
        let stopping = CancellationToken::new();
        let scheduler = Scheduler::new(
            Arc::clone(&shared),
            run,
            requests.clone(),
            incoming,
            stopping.clone(),
        );
        let mut tasks = JoinSet::new();
        tasks.spawn(scheduler.run());
        Ok(Self {
            shared,
            requests,
            stopping,
            _scheduler: Arc::new(tasks),
        })
    }

    /// Accepts a job: durable when this returns, started as soon as a slot is free.
    pub async fn submit(&self, submission: Submission) -> Result<Submitted, SubmitError> {
        let (reply, answer) = oneshot::channel();
        let submission = Box::new(submission);
        self.send(Request::Submit { submission, reply }).await?;
        answer.await.map_err(|_| RegistryError::ShutDown)?
    }

    /// The job as it is now, or `None` if there is none of this id.
    pub async fn get(&self, id: JobId) -> Result<Option<Job>, RegistryError> {
        match self.shared.live.find(id) {
            Some(live) => Ok(Some(self.shared.present(&live))),
            None => self.ended(id).await,
        }
    }

    /// One page of jobs, newest first.
    pub async fn list(&self, filter: &JobFilter) -> Result<JobList, ListError> {
        let before = match &filter.cursor {
            Some(cursor) => {
                u64::from_str_radix(cursor, 16).map_err(|_| ListError::InvalidCursor)?
            }
            None => u64::MAX,
        };
        let limit = filter.limit.clamp(1, PAGE_MAX);
        let page = Page {
            state: filter.state,
            kind: filter.kind.as_deref(),
            before,
            limit: limit + 1,
        };
        let mut rows = self.shared.database.page(&page).await?;
        let more = rows.len() > limit as usize;
        rows.truncate(limit as usize);
        let next_cursor = rows
            .last()
            .filter(|_| more)
            .map(|(number, _)| format!("{number:x}"));
        let positions = self.shared.live.queue_positions();
        let jobs = rows
            .into_iter()
            .map(|(_, stored)| {
                let live = self.shared.live.find(stored.job_id);
                let mut job = live.map_or(stored, |live| live.job());
                job.queue_position = positions.get(&job.job_id).copied();
                self.shared.with_heartbeat(job)
            })
            .collect();
        Ok(JobList { jobs, next_cursor })
    }

    /// Stops a job for good: its intent is durable when this returns the job in its state now, and the job becomes
    /// `cancelled` when nothing of it runs any more. A job that has ended, or that is publishing, is returned as it
    /// is; one in a state that this build does not know becomes `cancelled` at once, since nothing of it runs. `None`
    /// if there is none of this id.
    ///
    /// Where the intent cannot be recorded, this is an error, and the job is stopped all the same: a job that fills a
    /// disk must be stoppable on a full disk. The cancel is kept in memory then, is recorded as soon as the database
    /// takes it, and wins over whatever the work comes to meanwhile. Only a hive that ends before that forgets it, so
    /// a caller who got the error asks again.
    pub async fn cancel(&self, id: JobId) -> Result<Option<Job>, RegistryError> {
        match self.ask(id, Trigger::Cancel).await? {
            Answer::Granted(job) | Answer::Refused(job) => Ok(Some(*job)),
            Answer::NotLive => self.ended(id).await,
        }
    }

    /// Makes a queued or running job give back its slot and keep its bytes; `None` if there is none of this id.
    pub async fn pause(&self, id: JobId) -> Result<Option<Job>, ChangeError> {
        let answer = self.ask(id, Trigger::Pause).await?;
        self.granted(id, answer).await
    }

    /// Puts a paused job back into the queue; `None` if there is none of this id.
    pub async fn resume(&self, id: JobId) -> Result<Option<Job>, ChangeError> {
        let answer = self.ask(id, Trigger::Resume).await?;
        self.granted(id, answer).await
    }

    /// Changes what a job may use: durable and told to its work when this returns, kept by a job that waits for its
    /// start. The same as before is no event. `None` if there is none of this id.
    pub async fn change(
        &self,
        job_id: JobId,
        change: ChangeJob,
    ) -> Result<Option<Job>, ChangeError> {
        let (reply, answer) = oneshot::channel();
        let request = Request::Change {
            job_id,
            change,
            reply,
        };
        self.send(request).await?;
        let answer = answer.await.map_err(|_| RegistryError::ShutDown)??;
        self.granted(job_id, answer).await
    }

    /// Notes that what an ended job had kept is removed; `None` if there is none of this id. A job that has not ended
    /// stays as it is.
    pub async fn partial_discarded(&self, id: JobId) -> Result<Option<Job>, RegistryError> {
        let Some(mut job) = self.ended(id).await? else {
            return Ok(None);
        };
        if job.state.has_ended() && job.partial_bytes_kept > 0 {
            job.partial_bytes_kept = 0;
            self.shared.database.rewrite_ended(&job).await?;
        }
        Ok(Some(job))
    }

    /// Returns the job as soon as its `sequence` is past this one, or it has ended, or the registry is shut down.
    pub async fn wait_past(&self, id: JobId, sequence: u64) -> Result<Option<Job>, RegistryError> {
        self.wait_until(id, |job| job.sequence > sequence).await
    }

    /// Returns the job as soon as it has ended, or the registry is shut down.
    pub async fn wait_until_ended(&self, id: JobId) -> Result<Option<Job>, RegistryError> {
        self.wait_until(id, |_| false).await
    }

    /// Returns the job as soon as the work of one that is `pausing` has ended, or the registry is shut down; at once
    /// for a job in any other state.
    pub async fn wait_while_pausing(&self, id: JobId) -> Result<Option<Job>, RegistryError> {
        self.wait_until(id, |job| job.state != JobState::Pausing.into())
            .await
    }

    /// Begins to watch a job, from where an earlier watch was left if the reader says so; `None` if there is none of
    /// this id.
    pub async fn watch(
        &self,
        id: JobId,
        last_event_id: Option<LastEventId>,
    ) -> Result<Option<WatchStart>, RegistryError> {
        let live = match self.shared.live.find(id) {
            Some(live) => live,
            None => match self.shared.database.job(id).await? {
                Some(job) => {
                    let wall_clock = self.shared.settings.wall_clock.clone();
                    Arc::new(LiveJob::new(0, job, wall_clock))
                }
                None => return Ok(None),
            },
        };
        JobWatch::start(Arc::clone(&self.shared), live, last_event_id)
            .await
            .map(Some)
    }

    /// How many unfinished jobs there are now.
    pub fn counts(&self) -> JobCounts {
        let mut counts = JobCounts::default();
        for live in self.shared.live.all() {
            match live.state() {
                Some(JobState::Queued) => counts.queued += 1,
                Some(JobState::Running | JobState::Pausing | JobState::Cancelling) => {
                    counts.running += 1;
                }
                Some(JobState::Paused) => counts.paused += 1,
                Some(JobState::Succeeded | JobState::Failed | JobState::Cancelled) | None => {}
            }
        }
        counts
    }

    /// Stops all work without cancelling a job, and returns when nothing runs any more: what ran goes on when the
    /// database is opened again. Work that ignores its cancellation token holds this up, so the caller sets a limit.
    pub async fn shut_down(&self) {
        self.stopping.cancel();
        self.shared.stopped.cancelled().await;
        self.shared.database.close().await;
    }

    async fn send(&self, request: Request) -> Result<(), RegistryError> {
        let sent = self.requests.send(request).await;
        sent.map_err(|_| RegistryError::ShutDown)
    }

    async fn ask(&self, job_id: JobId, trigger: Trigger) -> Result<Answer, RegistryError> {
        let (reply, answer) = oneshot::channel();
        let request = Request::Ask {
            job_id,
            trigger,
            reply,
        };
        self.send(request).await?;
        answer.await.map_err(|_| RegistryError::ShutDown)?
    }

    async fn granted(&self, id: JobId, answer: Answer) -> Result<Option<Job>, ChangeError> {
        let job = match answer {
            Answer::Granted(job) => return Ok(Some(*job)),
            Answer::Refused(job) => Some(*job),
            Answer::NotLive => self.ended(id).await?,
        };
        match job {
            Some(Job { state, .. }) => Err(ChangeError::WrongState { state }),
            None => Ok(None),
        }
    }

    async fn wait_until(
        &self,
        id: JobId,
        done: impl Fn(&Job) -> bool,
    ) -> Result<Option<Job>, RegistryError> {
        let Some(live) = self.shared.live.find(id) else {
            return self.ended(id).await;
        };
        let mut sequence = live.sequence();
        loop {
            sequence.mark_unchanged();
            let job = self.shared.present(&live);
            if done(&job) || job.state.has_ended() {
                return Ok(Some(job));
            }
            tokio::select! {
                _ = sequence.changed() => {}
                () = self.shared.stopped.cancelled() => return Ok(Some(self.shared.present(&live))),
            }
        }
    }

    async fn ended(&self, id: JobId) -> Result<Option<Job>, RegistryError> {
        let job = self.shared.database.job(id).await?;
        Ok(job.map(|job| self.shared.with_heartbeat(job)))
    }
}

#[cfg(test)]
mod tests;
