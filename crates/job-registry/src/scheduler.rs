//! The one task that changes jobs: it takes requests in turn, commits each change, tells the watchers, fires
//! cancellation tokens (that of a cancelled job before the commit), and starts what fits into the slots.
//!
//! It never waits for work or for a watcher. The work runs in a set that this task owns; when the task ends, so has
//! all work.

mod entry;
mod logbook;
mod recovery;
mod request;
mod retention;
mod story;
mod work;

use std::{
    collections::{HashMap, HashSet},
    future::pending,
    sync::Arc,
    time::Duration,
};

use hive_api::{ChangeJob, Job, JobId, JobState};
use jiff::Timestamp;
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;
use uuid::{NoContext, Uuid};

pub(crate) use entry::Entry;
pub(crate) use recovery::recover;
pub(crate) use request::{Answer, Recorded, Request};

use crate::{
    LogLine, RegistryError, RunJob, Stopped, Submission, SubmitError, Submitted, change,
    database::Inserted,
    live::LiveJob,
    registry::Shared,
    scheduler::{
        entry::may_log,
        logbook::{Draft, Logbook},
        retention::Retention,
        story::{report, tell},
        work::Woken,
    },
    transition::{Standing, Transition, Trigger, transition},
};

/// How long to wait before a change that the database refused is tried again.
pub(crate) const TRY_AGAIN_AFTER: Duration = Duration::from_secs(1);

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
    logbook: Logbook,
    retention: Retention,
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
            logbook: Logbook::default(),
            retention: Retention::new(),
        }
    }

    /// Runs until `stopping` fires, and then until the last work has ended.
    pub(crate) async fn run(mut self) {
        let _stopped = self.shared.stopped.clone().drop_guard();
        let stopping = self.stopping.clone();
        while !stopping.is_cancelled() {
            self.start_queued().await;
            let look_at = self.retention.look_at();
            let lines_due_at = self.logbook.due_at();
            tokio::select! {
                biased;
                () = stopping.cancelled() => {}
                Some(woken) = self.work.join_next() => self.wake(woken).await,
                () = at(lines_due_at) => self.write_lines().await,
                () = at(look_at) => self.drop_ended_jobs().await,
                Some(request) = self.incoming.recv() => self.handle(request).await,
            }
        }
        for token in self.tokens.values() {
            token.cancel();
        }
        while !self.work.is_empty() {
            let lines_due_at = self.logbook.due_at();
            tokio::select! {
                Some(woken) = self.work.join_next() => self.wake(woken).await,
                () = at(lines_due_at) => self.write_lines().await,
                Some(request) = self.incoming.recv() => self.handle(request).await,
            }
        }
    }

    async fn handle(&mut self, request: Request) {
        // A caller that went away does not undo what it asked for, so a reply may find nobody.
        match request {
            Request::Answer { reply } => {
                let _ = reply.send(());
            }
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
            Request::Log {
                job_id,
                attempt,
                line,
                reply,
            } => {
                let _ = reply.send(self.log(job_id, attempt, line).await);
            }
            Request::ForgetCrashes {
                job_id,
                attempt,
                reply,
            } => {
                let _ = reply.send(self.forget_crashes(job_id, attempt).await);
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
        let unfinished = self.shared.live.len();
        let has_room = unfinished < self.shared.settings.max_unfinished;
        let insert = (self.shared.database).insert(&change, submission, has_room, now);
        let (job, replayed) = match insert.await? {
            Inserted::New(number) => {
                tell(&change);
                let wall_clock = self.shared.settings.wall_clock.clone();
                let live = Arc::new(LiveJob::new(number, change.job, wall_clock));
                self.shared.live.insert(Arc::clone(&live));
                (self.shared.present(&live), false)
            }
            Inserted::Replayed(id) => (self.replayed(id).await?, true),
            Inserted::KeyReused => return Err(SubmitError::KeyReused),
            Inserted::NoRoom => return Err(SubmitError::TooMany { unfinished }),
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
        let mut draft = self.logbook.draft(live.job());
        let transition = transition(Standing::of(draft.latest()), trigger);
        if let Transition::To(state) = transition {
            draft.add(change::moved(draft.latest(), state, None, self.now()));
            if trigger == Trigger::Cancel {
                self.record_cancel(&live, draft).await?;
            } else {
                self.commit(&live, draft).await?;
                self.tell_to_stop(id);
            }
        }
        let job = Box::new(self.shared.present(&live));
        Ok(match transition {
            Transition::To(_) | Transition::Stay => Answer::Granted(job),
            Transition::Publish | Transition::Refuse => Answer::Refused(job),
        })
    }

    async fn change(&mut self, id: JobId, wanted: &ChangeJob) -> Result<Answer, RegistryError> {
        let Some(live) = self.shared.live.find(id) else {
            return Ok(Answer::NotLive);
        };
        let mut draft = self.logbook.draft(live.job());
        if transition(self.standing(draft.latest()), Trigger::Adjust) != Transition::Stay {
            return Ok(Answer::Refused(Box::new(self.shared.present(&live))));
        }
        let limit = wanted.limit_bytes_per_second;
        if limit != draft.latest().limit_bytes_per_second {
            draft.add(change::limited(draft.latest(), limit, self.now()));
            self.commit(&live, draft).await?;
        }
        Ok(Answer::Granted(Box::new(self.shared.present(&live))))
    }

    /// Stops the work of a job, and records that it is to be cancelled; what cannot be recorded now is later.
    async fn record_cancel(&mut self, live: &LiveJob, draft: Draft) -> Result<(), RegistryError> {
        // Before the commit: neither a full disk nor one that does not answer may keep a job from being stopped.
        self.tell_to_stop(live.id());
        let recorded = self.commit(live, draft).await;
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

    async fn record(&mut self, id: JobId, attempt: u32, entry: Entry) -> Result<Recorded, Stopped> {
        let live = self.at_work(id, attempt)?;
        let decides = entry.decides();
        let mut draft = self.logbook.draft(live.job());
        let standing = self.standing(draft.latest());
        let Some(change) = entry.change(draft.latest(), standing, self.now())? else {
            return Ok(Recorded::Done);
        };
        draft.add(change);
        match self.commit(&live, draft).await {
            Err(error) if decides => {
                report(id, &error);
                Ok(Recorded::NotYet)
            }
            // What is lost to the log is no reason to stop.
            Err(error) => {
                report(id, &error);
                Ok(Recorded::Done)
            }
            Ok(()) => Ok(Recorded::Done),
        }
    }

    async fn log(&mut self, id: JobId, attempt: u32, line: LogLine) -> Result<(), Stopped> {
        let job = self.at_work(id, attempt)?;
        if !may_log(self.standing(&job.job())) {
            return Err(Stopped);
        }
        if self.logbook.add(id, line, self.now()) {
            self.write_lines_of(&job).await;
        }
        Ok(())
    }

    /// Writes the lines whose time has come.
    async fn write_lines(&mut self) {
        for id in self.logbook.due() {
            match self.shared.live.find(id) {
                Some(live) => self.write_lines_of(&live).await,
                None => self.logbook.close(id),
            }
        }
    }

    async fn write_lines_of(&mut self, live: &LiveJob) {
        let draft = self.logbook.draft(live.job());
        if let Err(error) = self.commit(live, draft).await {
            report(live.id(), &error);
        }
        self.logbook.wait(live.id());
    }

    async fn forget_crashes(&self, id: JobId, attempt: u32) -> Result<(), Stopped> {
        let live = self.at_work(id, attempt)?;
        if live.forget_crashes()
            && let Err(error) = self.shared.database.forget_crashes(id).await
        {
            report(id, &error);
        }
        Ok(())
    }

    /// The job, if this start of it is not over.
    fn at_work(&self, id: JobId, attempt: u32) -> Result<Arc<LiveJob>, Stopped> {
        let live = self.shared.live.find(id).ok_or(Stopped)?;
        if live.job().attempt == attempt {
            Ok(live)
        } else {
            Err(Stopped)
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

    /// Commits changes and then, only then, lets them be seen.
    async fn commit(&mut self, live: &LiveJob, draft: Draft) -> Result<(), RegistryError> {
        let Shared {
            settings, database, ..
        } = self.shared.as_ref();
        let kept = settings.log_lines_kept;
        database.commit(&draft.before, &draft.changes, kept).await?;
        if draft.latest().state.has_ended() {
            self.retention.job_ended(settings);
        }
        self.logbook.written(live.id());
        for change in draft.changes {
            tell(&change);
            live.publish(change);
        }
        self.shared.live.settle(live);
        Ok(())
    }

    fn now(&self) -> Timestamp {
        self.shared.settings.wall_clock.now()
    }
}

/// The moment, or never.
async fn at(moment: Option<Instant>) {
    match moment {
        // A timer is a millisecond late, and others would have their turn before it.
        Some(moment) if moment <= Instant::now() => {}
        Some(moment) => sleep_until(moment).await,
        None => pending().await,
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

#[cfg(test)]
mod orders;
