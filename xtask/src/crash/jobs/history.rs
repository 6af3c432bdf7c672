//! What was told of each job: to who asked, and to who watched.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hive_api::{Event, JobId, JobState};
use tokio::time::Instant;

/// Everything that was told in a night.
#[derive(Clone, Debug, Default)]
pub(super) struct History(Arc<Mutex<Vec<JobHistory>>>);

/// What was told of one job.
#[derive(Clone, Debug)]
pub(super) struct JobHistory {
    pub(super) id: JobId,
    /// Its place among the night's repositories.
    pub(super) repository: usize,
    /// The number of the last event that the watcher's first snapshot includes.
    pub(super) watched_from: u64,
    /// What the watcher was told after it, in the order in which it came.
    pub(super) watched: Vec<Told>,
    /// When the watcher was told that it is cancelled, and how many bytes the CDN had sent of it then.
    pub(super) cancelled: Option<(Instant, u64)>,
    /// Whether a cancel was answered with a state that promises one.
    pub(super) cancel_promised: bool,
}

/// A logged event, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) sequence: u64,
    pub(super) what: What,
}

/// What it tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    State(String),
    Phase,
    Line,
}

impl What {
    /// What a frame tells for good; `None` for what is only live.
    pub(super) fn of(event: &Event) -> Option<Self> {
        Some(match event {
            Event::State(event) => Self::State(event.state.as_str().to_owned()),
            Event::Phase(_) => Self::Phase,
            Event::Log(_) | Event::Unknown { .. } => Self::Line,
            Event::Succeeded(job) | Event::Failed(job) | Event::Cancelled(job) => {
                Self::State(job.state.as_str().to_owned())
            }
            Event::Snapshot(_) | Event::Progress(_) | Event::Heartbeat(_) => return None,
        })
    }

    pub(super) fn is_end(&self) -> bool {
        let ends = [JobState::Succeeded, JobState::Failed, JobState::Cancelled];
        matches!(self, Self::State(state) if ends.iter().any(|end| end.as_str() == state))
    }
}

impl History {
    /// The jobs that were acknowledged.
    pub(super) fn jobs(&self) -> Vec<JobHistory> {
        self.lock().clone()
    }

    /// A job was acknowledged; its place in the history.
    pub(super) fn acknowledged(&self, id: JobId, repository: usize) -> usize {
        let mut jobs = self.lock();
        jobs.push(JobHistory {
            id,
            repository,
            watched_from: 0,
            watched: Vec::new(),
            cancelled: None,
            cancel_promised: false,
        });
        jobs.len() - 1
    }

    pub(super) fn change(&self, job: usize, change: impl FnOnce(&mut JobHistory)) {
        if let Some(job) = self.lock().get_mut(job) {
            change(job);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<JobHistory>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
