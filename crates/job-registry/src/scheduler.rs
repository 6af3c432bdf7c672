//! The one task that changes jobs: it takes requests in turn, commits each change, tells the watchers, fires
//! cancellation tokens (that of a cancelled job before the commit), and starts what fits into the slots.
//!
//! It never waits for work or for a watcher. The work runs in a set that this task owns; when the task ends, so has
//! all work.

mod entry;
mod recovery;
mod story;
mod work;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use hive_api::{ChangeJob, Job, JobId, JobState};
use jiff::Timestamp;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use uuid::{NoContext, Uuid};

pub(crate) use entry::Entry;
pub(crate) use recovery::recover;

use crate::{
    RegistryError, RunJob, Stopped, Submission, SubmitError, Submitted,
    change::{self, Change},
    database::Inserted,
    live::LiveJob,
    registry::Shared,
    scheduler::{
        story::{report, tell},
        work::Woken,
    },
    transition::{Standing, Transition, Trigger, transition},
};

/// How long to wait before a change that the database refused is tried again.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// A change that someone asks for.
#[derive(Debug)]
pub(crate) enum Request {
    /// Accept a job.
    Submit {
        submission: Box<Submission>,
        reply: oneshot::Sender<Result<Submitted, SubmitError>>,
    },
    /// Cancel, pause or resume one.
    Ask {
        job_id: JobId,
        trigger: Trigger,
        reply: oneshot::Sender<Result<Answer, RegistryError>>,
    },
    /// Change what one may use.
    Change {
        job_id: JobId,
        change: ChangeJob,
        reply: oneshot::Sender<Result<Answer, RegistryError>>,
    },
    /// Add what its work tells to its log.
    Record {
        job_id: JobId,
        attempt: u32,
        entry: Entry,
        reply: oneshot::Sender<Result<(), Stopped>>,
    },
}

/// What became of a request to cancel, pause, resume or change.
#[derive(Debug)]
pub(crate) enum Answer {
    /// It is recorded, or was already.
    Granted(Box<Job>),
    /// It makes no sense in this state.
    Refused(Box<Job>),
    /// The job has ended, or there is none of this id.
    NotLive,
}

/// The state of the task.
pub(crate) struct Scheduler {
    shared: Arc<Shared>,
    run: RunJob,
    requests: mpsc::Sender<Request>,
    incoming: mpsc::Receiver<Request>,
    stopping: CancellationToken,
    work: JoinSet<Woken>,
    tokens: HashMap<JobId, CancellationToken>,
    /// Cancels that the database could not take yet.
    unrecorded_cancels: HashSet<JobId>,
    /// What the database refused is to be tried again in a moment.
    tries_again: bool,
}

impl Scheduler {
    pub(crate) fn new(
        shared: Arc<Shared>,
        run: RunJob,
        requests: mpsc::Sender<Request>,
        incoming: mpsc::Receiver<Request>,
        stopping: CancellationToken,
    ) -> Self {
        Self {
            shared,
            run,
            requests,
            incoming,
            stopping,
            work: JoinSet::new(),
            tokens: HashMap::new(),
            unrecorded_cancels: HashSet::new(),
            tries_again: false,
        }
    }

    /// Runs until `stopping` fires, and then until the last work has ended.
    pub(crate) async fn run(mut self) {
        let _stopped = self.shared.stopped.clone().drop_guard();
        let stopping = self.stopping.clone();
        while !stopping.is_cancelled() {
            self.start_queued().await;
            tokio::select! {
                biased;
                () = stopping.cancelled() => {}
                Some(woken) = self.work.join_next() => self.wake(woken).await,
                Some(request) = self.incoming.recv() => self.handle(request).await,
            }
        }
        for token in self.tokens.values() {
            token.cancel();
        }
        while !self.work.is_empty() {
            tokio::select! {
                Some(woken) = self.work.join_next() => self.wake(woken).await,
                Some(request) = self.incoming.recv() => self.handle(request).await,
            }
        }
    }

    async fn handle(&mut self, request: Request) {
        // A caller that went away does not undo what it asked for, so a reply may find nobody.
        match request {
            Request::Submit { submission, reply } => {
                let _ = reply.send(self.submit(&submission).await);
            }
            Request::Ask {
                job_id,
                trigger,
                reply,
            } => {
                let _ = reply.send(self.ask(job_id, trigger).await);
            }
            Request::Change {
                job_id,
                change,
                reply,
            } => {
                let _ = reply.send(self.change(job_id, &change).await);
            }
            Request::Record {
                job_id,
                attempt,
                entry,
                reply,
            } => {
                let _ = reply.send(self.record(job_id, attempt, entry).await);
            }
        }
    }

    async fn submit(&self, submission: &Submission) -> Result<Submitted, SubmitError> {
        if self.stopping.is_cancelled() {
            return Err(RegistryError::ShutDown.into());
        }
        let now = self.now();
        let change = change::submitted(submission, new_id(now), now);
        let database = &self.shared.database;
        let (job, replayed) = match database.insert(&change, submission, now).await? {
            Inserted::New(number) => {
                tell(&change);
                let wall_clock = self.shared.settings.wall_clock.clone();
                let live = Arc::new(LiveJob::new(number, change.job, wall_clock));
                self.shared.live.insert(Arc::clone(&live));
                (self.shared.present(&live), false)
            }
            Inserted::Replayed(id) => (self.replayed(id).await?, true),
            Inserted::KeyReused => return Err(SubmitError::KeyReused),
        };
        Ok(Submitted { job, replayed })
    }

    async fn replayed(&self, id: JobId) -> Result<Job, RegistryError> {
        if let Some(live) = self.shared.live.find(id) {
            return Ok(self.shared.present(&live));
        }
        let ended = self.shared.database.job(id).await?;
        let ended = ended.ok_or(RegistryError::Conflict)?;
        Ok(self.shared.with_heartbeat(ended))
    }

    async fn ask(&mut self, id: JobId, trigger: Trigger) -> Result<Answer, RegistryError> {
        let Some(live) = self.shared.live.find(id) else {
            self.unrecorded_cancels.remove(&id);
            return Ok(Answer::NotLive);
        };
        let before = live.job();
        let transition = transition(Standing::of(&before), trigger);
        if let Transition::To(state) = transition {
            let change = change::moved(&before, state, None, self.now());
            if trigger == Trigger::Cancel {
                self.record_cancel(&live, &before, change).await?;
            } else {
                self.commit(&live, &before, change).await?;
                self.tell_to_stop(id);
            }
        }
        let job = Box::new(self.shared.present(&live));
        Ok(match transition {
            Transition::To(_) | Transition::Stay => Answer::Granted(job),
            Transition::Publish | Transition::Refuse => Answer::Refused(job),
        })
    }

    async fn change(&self, id: JobId, wanted: &ChangeJob) -> Result<Answer, RegistryError> {
        let Some(live) = self.shared.live.find(id) else {
            return Ok(Answer::NotLive);
        };
        let before = live.job();
        let job = || Box::new(self.shared.present(&live));
        if transition(self.standing(&before), Trigger::Adjust) != Transition::Stay {
            return Ok(Answer::Refused(job()));
        }
        let limit = wanted.limit_bytes_per_second;
        if limit != before.limit_bytes_per_second {
            let change = change::limited(&before, limit, self.now());
            self.commit(&live, &before, change).await?;
        }
        Ok(Answer::Granted(job()))
    }

    /// Stops the work of a job, and records that it is to be cancelled; what cannot be recorded now is later.
    async fn record_cancel(
        &mut self,
        live: &LiveJob,
        before: &Job,
        change: Change,
    ) -> Result<(), RegistryError> {
        // Before the commit: neither a full disk nor one that does not answer may keep a job from being stopped.
        self.tell_to_stop(live.id());
        let recorded = self.commit(live, before, change).await;
        if recorded.is_ok() {
            self.unrecorded_cancels.remove(&live.id());
        } else {
            self.unrecorded_cancels.insert(live.id());
            self.try_again_later();
        }
        recorded
    }

    async fn record_cancels(&mut self) {
        for id in self.unrecorded_cancels.clone() {
            if let Err(error) = self.ask(id, Trigger::Cancel).await {
                report(id, &error);
                if let RegistryError::DiskFull(_) | RegistryError::Busy(_) = error {
                    return;
                }
            }
        }
    }

    fn tell_to_stop(&self, id: JobId) {
        if let Some(token) = self.tokens.get(&id) {
            token.cancel();
        }
    }

    async fn record(&self, id: JobId, attempt: u32, entry: Entry) -> Result<(), Stopped> {
        let live = self.shared.live.find(id).ok_or(Stopped)?;
        let before = live.job();
        if before.attempt != attempt {
            return Err(Stopped);
        }
        let decides = entry.decides();
        let standing = self.standing(&before);
        let Some(change) = entry.change(&before, standing, self.now())? else {
            return Ok(());
        };
        match self.commit(&live, &before, change).await {
            Ok(()) => Ok(()),
            Err(error) => {
                report(id, &error);
                // A line that is lost to the log is no reason to stop; what decides over a cancel must be recorded.
                if decides { Err(Stopped) } else { Ok(()) }
            }
        }
    }

    /// Where a job stands, a cancel that could not be recorded yet included.
    fn standing(&self, job: &Job) -> Standing {
        if self.unrecorded_cancels.contains(&job.job_id) {
            Standing::In(JobState::Cancelling)
        } else {
            Standing::of(job)
        }
    }

    /// Commits a change and then, only then, lets it be seen.
    async fn commit(
        &self,
        live: &LiveJob,
        before: &Job,
        change: Change,
    ) -> Result<(), RegistryError> {
        let log_lines_kept = self.shared.settings.log_lines_kept;
        let database = &self.shared.database;
        database.commit(before, &change, log_lines_kept).await?;
        tell(&change);
        live.publish(change);
        self.shared.live.settle(live);
        Ok(())
    }

    fn now(&self) -> Timestamp {
        self.shared.settings.wall_clock.now()
    }
}

fn new_id(now: Timestamp) -> JobId {
    let seconds = u64::try_from(now.as_second()).unwrap_or_default();
    let nanoseconds = u32::try_from(now.subsec_nanosecond()).unwrap_or_default();
    JobId::new(Uuid::new_v7(uuid::Timestamp::from_unix(
        NoContext,
        seconds,
        nanoseconds,
    )))
}
