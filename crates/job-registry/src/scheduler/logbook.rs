//! Log lines that wait to be written: those of one job go into the database together, at most once a second, and before
//! any other change of the job, so that a storm of lines costs few writes and the log keeps its order.

use std::{collections::HashMap, time::Duration};

use hive_api::{Job, JobId};
use jiff::Timestamp;
use tokio::time::Instant;

use crate::{
    LogLine,
    change::{self, Change},
};

/// The shortest time between two writes of a job's log lines.
const WRITE_INTERVAL: Duration = Duration::from_secs(1);
/// Lines of a job that wait at most; then they are written before their time.
const MOST_WAITING: usize = 256;

/// The lines of every job at work that wait.
#[derive(Debug, Default)]
pub(super) struct Logbook {
    jobs: HashMap<JobId, Lines>,
}

#[derive(Debug)]
struct Lines {
    waiting: Vec<(LogLine, Timestamp)>,
    write_at: Instant,
}

/// Changes of one job for one transaction: first the lines that waited.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) before: Job,
    pub(super) changes: Vec<Change>,
}

impl Draft {
    /// The job after the changes so far.
    pub(super) fn latest(&self) -> &Job {
        self.changes
            .last()
            .map_or(&self.before, |change| &change.job)
    }

    /// Adds a change that was made of the latest.
    pub(super) fn add(&mut self, change: Change) {
        self.changes.push(change);
    }
}

impl Logbook {
    /// Takes a line; whether the job's lines are to be written now.
    pub(super) fn add(&mut self, id: JobId, line: LogLine, at: Timestamp) -> bool {
        let now = Instant::now();
        let lines = self.jobs.entry(id).or_insert(Lines {
            waiting: Vec::new(),
            write_at: now,
        });
        lines.waiting.push((line, at));
        lines.write_at <= now || lines.waiting.len() >= MOST_WAITING
    }

    /// What a transaction about the job begins with.
    pub(super) fn draft(&self, before: Job) -> Draft {
        let mut draft = Draft {
            before,
            changes: Vec::new(),
        };
        if let Some(lines) = self.jobs.get(&draft.before.job_id) {
            for (line, at) in &lines.waiting {
                let change = change::told(draft.latest(), line.clone(), *at);
                draft.add(change);
            }
        }
        draft
    }

    /// The job's lines are in the database.
    pub(super) fn written(&mut self, id: JobId) {
        if let Some(lines) = self.jobs.get_mut(&id) {
            lines.waiting.clear();
        }
    }

    /// The job's lines were written for themselves, or could not be: the next ones wait their time.
    pub(super) fn wait(&mut self, id: JobId) {
        if let Some(lines) = self.jobs.get_mut(&id) {
            lines.waiting.clear();
            lines.write_at = Instant::now() + WRITE_INTERVAL;
        }
    }

    /// No work of the job tells anything any more.
    pub(super) fn close(&mut self, id: JobId) {
        self.jobs.remove(&id);
    }

    /// When lines are to be written next.
    pub(super) fn due_at(&self) -> Option<Instant> {
        let waiting = self.jobs.values().filter(|job| !job.waiting.is_empty());
        waiting.map(|job| job.write_at).min()
    }

    /// The jobs whose lines are to be written now.
    pub(super) fn due(&self) -> Vec<JobId> {
        let now = Instant::now();
        let jobs = self.jobs.iter();
        jobs.filter(|(_, job)| !job.waiting.is_empty() && job.write_at <= now)
            .map(|(id, _)| *id)
            .collect()
    }
}
