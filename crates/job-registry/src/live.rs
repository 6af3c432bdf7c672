//! The unfinished jobs in memory: their last committed state with live figures on top, and who is next.
//!
//! The scheduler alone publishes here, after its commit; the work reports figures; everybody else reads. Reading and
//! publishing take a lock for a few field accesses and never wait for a watcher.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use hive_api::{Heartbeat, Job, JobId, JobState, Priority, Progress};
use tokio::{sync::watch, time::Instant};

use crate::{
    WallClock,
    change::{Change, Logged},
};

/// Logged events that are kept in memory for watchers; older ones come from the database.
const RECENT_EVENTS: usize = 128;

/// Ends of jobs that are kept in memory for those who watch all jobs.
const RECENT_ENDS: usize = 1_024;

/// What is known of a job: rises with every event and every report of progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    sequence: u64,
    progress: u64,
}

/// One unfinished job.
#[derive(Debug)]
pub(crate) struct LiveJob {
    id: JobId,
    number: u64,
    wall_clock: WallClock,
    /// Whether crashes are counted against it.
    has_crashes: AtomicBool,
    inner: Mutex<Inner>,
    sequence: watch::Sender<u64>,
    limit_bytes_per_second: watch::Sender<Option<u64>>,
    progress_version: watch::Sender<u64>,
}

#[derive(Debug)]
struct Inner {
    job: Job,
    recent: VecDeque<Arc<Logged>>,
    waits_since: Instant,
    runs_since: Option<Instant>,
    active_at: Instant,
}

impl LiveJob {
    /// A job as the database has it. `number` is its place in the order of submission.
    pub(crate) fn new(number: u64, job: Job, wall_clock: WallClock) -> Self {
        let now = Instant::now();
        let wall_now = wall_clock.now();
        let back = |at: jiff::Timestamp| {
            let passed = Duration::try_from(wall_now.duration_since(at)).unwrap_or_default();
            now.checked_sub(passed).unwrap_or(now)
        };
        Self {
            id: job.job_id,
            number,
            sequence: watch::Sender::new(job.sequence),
            limit_bytes_per_second: watch::Sender::new(job.limit_bytes_per_second),
            progress_version: watch::Sender::new(0),
            inner: Mutex::new(Inner {
                recent: VecDeque::new(),
                waits_since: back(job.created_at),
                runs_since: None,
                active_at: back(job.last_activity_at.unwrap_or(job.created_at)),
                job,
            }),
            wall_clock,
            has_crashes: AtomicBool::new(false),
        }
    }

    /// The same job, with whether crashes of the hive are counted against it.
    pub(crate) fn with_crashes(self, has_crashes: bool) -> Self {
        self.has_crashes.store(has_crashes, Ordering::Relaxed);
        self
    }

    /// Whether crashes of the hive are counted against it.
    pub(crate) fn has_crashes(&self) -> bool {
        self.has_crashes.load(Ordering::Relaxed)
    }

    /// Counts no crash against it any more; whether any was.
    pub(crate) fn forget_crashes(&self) -> bool {
        self.has_crashes.swap(false, Ordering::Relaxed)
    }

    pub(crate) const fn id(&self) -> JobId {
        self.id
    }

    /// The job as it was last committed, with the figures of now.
    pub(crate) fn job(&self) -> Job {
        self.inner().job.clone()
    }

    /// Its state; `None` if this build does not know it.
    pub(crate) fn state(&self) -> Option<JobState> {
        self.inner().job.state.known().copied()
    }

    /// The number of the last committed event; changes after the commit.
    pub(crate) fn sequence(&self) -> watch::Receiver<u64> {
        self.sequence.subscribe()
    }

    /// The most bytes a second that it may receive; changes after the commit.
    pub(crate) fn limit_bytes_per_second(&self) -> watch::Receiver<Option<u64>> {
        self.limit_bytes_per_second.subscribe()
    }

    /// What is known of it now.
    pub(crate) fn version(&self) -> Version {
        Version {
            sequence: *self.sequence.borrow(),
            progress: *self.progress_version.borrow(),
        }
    }

    /// Rises with every report of progress.
    pub(crate) fn progress_version(&self) -> watch::Receiver<u64> {
        self.progress_version.subscribe()
    }

    /// What a heartbeat says now.
    pub(crate) fn heartbeat(&self) -> Heartbeat {
        let inner = self.inner();
        let since = inner.runs_since.unwrap_or(inner.waits_since);
        Heartbeat {
            elapsed_seconds: since.elapsed().as_secs(),
            idle_seconds: inner.active_at.elapsed().as_secs(),
            bytes_done: inner.job.progress.bytes_done,
        }
    }

    /// The logged events after this number, or `None` when memory does not reach back that far.
    pub(crate) fn recent_after(&self, sequence: u64) -> Option<Vec<Arc<Logged>>> {
        let inner = self.inner();
        let oldest = inner
            .recent
            .front()
            .map_or(inner.job.sequence + 1, |logged| logged.sequence);
        (sequence + 1 >= oldest).then(|| {
            let after = |logged: &&Arc<Logged>| logged.sequence > sequence;
            inner.recent.iter().filter(after).cloned().collect()
        })
    }

    /// Takes over what was committed and tells the watchers.
    pub(crate) fn publish(&self, change: Change) {
        let sequence = change.logged.sequence;
        let limit = change.job.limit_bytes_per_second;
        {
            let mut inner = self.inner();
            let was_at_work = inner.runs_since.is_some();
            let is_at_work = is_at_work(&change.job);
            let live = std::mem::replace(&mut inner.job, change.job);
            if was_at_work && is_at_work {
                // Figures that came during the commit are newer than the committed ones.
                inner.job.progress = live.progress;
                inner.job.partial_bytes_kept = live.partial_bytes_kept;
            }
            inner.runs_since = match (was_at_work, is_at_work) {
                (true, true) => inner.runs_since,
                (false, true) => Some(Instant::now()),
                (true | false, false) => None,
            };
            inner.active_at = Instant::now();
            if inner.recent.len() == RECENT_EVENTS {
                inner.recent.pop_front();
            }
            inner.recent.push_back(Arc::new(change.logged));
        }
        self.limit_bytes_per_second.send_if_modified(|current| {
            let is_new = *current != limit;
            *current = limit;
            is_new
        });
        self.sequence.send_replace(sequence);
    }

    /// Takes over a report of this attempt's work; a report of an earlier one is late and dropped.
    pub(crate) fn report_progress(&self, attempt: u32, progress: Progress) {
        {
            let mut inner = self.inner();
            if inner.job.attempt != attempt || inner.runs_since.is_none() {
                return;
            }
            if progress.bytes_done != inner.job.progress.bytes_done {
                inner.active_at = Instant::now();
                inner.job.last_activity_at = Some(self.wall_clock.now());
            }
            inner.job.progress = progress;
        }
        self.progress_version.send_modify(|version| *version += 1);
    }

    /// Takes over the bytes that stay for a later start.
    pub(crate) fn report_partial_bytes_kept(&self, attempt: u32, bytes: u64) {
        let mut inner = self.inner();
        if inner.job.attempt == attempt && inner.runs_since.is_some() {
            inner.job.partial_bytes_kept = bytes;
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether work of the job may be under way in this state.
pub(crate) fn is_at_work(job: &Job) -> bool {
    job.state.known().is_some_and(|state| match state {
        JobState::Running | JobState::Pausing | JobState::Cancelling => true,
        JobState::Queued
        | JobState::Paused
        | JobState::Succeeded
        | JobState::Failed
        | JobState::Cancelled => false,
    })
}

/// Who starts first: the higher priority, then the earlier submission.
type Turn = (Reverse<Priority>, u64);

/// All unfinished jobs, and the queue.
#[derive(Debug, Default)]
pub(crate) struct LiveJobs {
    jobs: RwLock<HashMap<JobId, Arc<LiveJob>>>,
    queue: Mutex<BTreeMap<Turn, JobId>>,
    ends: Mutex<Ends>,
}

/// The jobs that ended since the start, the newest last.
#[derive(Debug, Default)]
struct Ends {
    /// How many ended, those included that are no longer kept.
    all: u64,
    recent: VecDeque<JobId>,
}

impl LiveJobs {
    /// The job, unless it has ended.
    pub(crate) fn find(&self, id: JobId) -> Option<Arc<LiveJob>> {
        let jobs = self.jobs.read().unwrap_or_else(PoisonError::into_inner);
        jobs.get(&id).cloned()
    }

    /// How many jobs have not ended.
    pub(crate) fn len(&self) -> usize {
        let jobs = self.jobs.read().unwrap_or_else(PoisonError::into_inner);
        jobs.len()
    }

    /// Every unfinished job.
    pub(crate) fn all(&self) -> Vec<Arc<LiveJob>> {
        let jobs = self.jobs.read().unwrap_or_else(PoisonError::into_inner);
        jobs.values().cloned().collect()
    }

    /// Adds a job, and puts it in the queue if that is where it belongs.
    pub(crate) fn insert(&self, live: Arc<LiveJob>) {
        self.settle(&live);
        let mut jobs = self.jobs.write().unwrap_or_else(PoisonError::into_inner);
        jobs.insert(live.id, live);
    }

    /// Brings queue and list in line with the job's state: in the queue while it is queued and can be run, in the
    /// list until it has ended.
    pub(crate) fn settle(&self, live: &LiveJob) {
        let job = live.job();
        let turn = turn(live, &job);
        if job.state.known() == Some(&JobState::Queued) && job.operation.known().is_some() {
            self.queue().insert(turn, live.id);
        } else {
            self.queue().remove(&turn);
        }
        if job.state.has_ended() {
            let mut jobs = self.jobs.write().unwrap_or_else(PoisonError::into_inner);
            if jobs.remove(&live.id).is_some() {
                let mut ends = self.lock_ends();
                ends.all += 1;
                if ends.recent.len() == RECENT_ENDS {
                    ends.recent.pop_front();
                }
                ends.recent.push_back(live.id);
            }
        }
    }

    /// How many jobs ended since the start.
    pub(crate) fn ends(&self) -> u64 {
        self.lock_ends().all
    }

    /// The jobs that ended after so many others, or `None` when memory does not reach back that far.
    pub(crate) fn ended_after(&self, ends: u64) -> Option<Vec<JobId>> {
        let now = self.lock_ends();
        let new = usize::try_from(now.all - ends).ok()?;
        let known = now.recent.len().checked_sub(new)?;
        Some(now.recent.range(known..).copied().collect())
    }

    /// The job whose turn it is.
    pub(crate) fn next_in_queue(&self) -> Option<Arc<LiveJob>> {
        let id = self.queue().first_key_value().map(|(_, id)| *id)?;
        self.find(id)
    }

    /// How many jobs start before this one, from 1; `None` unless it is in the queue.
    pub(crate) fn queue_position(&self, live: &LiveJob) -> Option<u32> {
        let turn = turn(live, &live.job());
        let queue = self.queue();
        queue.contains_key(&turn).then(|| {
            let before = queue.range(..turn).count();
            u32::try_from(before).map_or(u32::MAX, |before| before.saturating_add(1))
        })
    }

    /// The position of every job in the queue, for a page of them.
    pub(crate) fn queue_positions(&self) -> HashMap<JobId, u32> {
        self.queue().values().copied().zip(1..).collect()
    }

    fn lock_ends(&self) -> MutexGuard<'_, Ends> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn queue(&self) -> MutexGuard<'_, BTreeMap<Turn, JobId>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn turn(live: &LiveJob, job: &Job) -> Turn {
    let priority = job.priority.known().copied().unwrap_or_default();
    (Reverse(priority), live.number)
}

#[cfg(test)]
mod tests;
