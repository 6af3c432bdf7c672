//! Watching all jobs at once: the unfinished ones, then each that changed, at most four times a second.
//!
//! A watch pulls, as that of one job does: it compares what it has told with what is. A slow reader is told the newest
//! and no more, and costs the jobs nothing.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use hive_api::{Job, JobId};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::{JobRegistry, Shared};
use crate::live::{LiveJob, Version};

/// The shortest time between two tellings of one job.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// What a watch of all jobs tells.
#[derive(Clone, Debug, PartialEq)]
pub enum AllJobs {
    /// Every unfinished job, first and once.
    Snapshot(Vec<Job>),
    /// A job that is new or changed, as it is now; one that has ended is told once more and then no more.
    Job(Box<Job>),
    /// Nothing changed for a while.
    Heartbeat,
}

/// One reader's view of all jobs.
#[derive(Debug)]
pub struct AllJobsWatch {
    shared: Arc<Shared>,
    begun: bool,
    /// What was told of each unfinished job.
    told: HashMap<JobId, Version>,
    /// How many ends of jobs were seen.
    ends_seen: u64,
    due: VecDeque<Due>,
    looks: Interval,
    heartbeat: Interval,
}

/// Why a job is to be told.
#[derive(Clone, Copy, Debug)]
enum Due {
    Changed(JobId),
    Ended(JobId),
}

impl JobRegistry {
    /// Begins to watch all jobs.
    pub fn watch_all(&self) -> AllJobsWatch {
        let shared = Arc::clone(&self.shared);
        let every = |period| {
            let mut ticks = interval_at(Instant::now() + period, period);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks
        };
        AllJobsWatch {
            begun: false,
            told: HashMap::new(),
            ends_seen: shared.live.ends(),
            due: VecDeque::new(),
            looks: every(LOOK_EVERY),
            heartbeat: every(shared.settings.heartbeat),
            shared,
        }
    }
}

impl AllJobsWatch {
    /// What is to be told next; `None` when the registry is shut down, or a reader was so slow that it has to begin
    /// anew. Cancel safe.
    pub async fn next(&mut self) -> Option<AllJobs> {
        if !self.begun {
            self.begun = true;
            return Some(AllJobs::Snapshot(self.snapshot()));
        }
        loop {
            while let Some(&due) = self.due.front() {
                let job = self.newest(due).await;
                self.due.pop_front();
                if let Some(job) = job {
                    return Some(AllJobs::Job(Box::new(job)));
                }
            }
            tokio::select! {
                biased;
                () = self.shared.stopped.cancelled() => return None,
                _ = self.heartbeat.tick() => return Some(AllJobs::Heartbeat),
                _ = self.looks.tick() => self.look()?,
            }
        }
    }

    fn snapshot(&mut self) -> Vec<Job> {
        let mut jobs: Vec<Job> = Vec::new();
        for live in self.unfinished() {
            self.told.insert(live.id(), live.version());
            jobs.push(self.shared.present(&live));
        }
        jobs.sort_unstable_by_key(|job| job.job_id);
        jobs
    }

    /// Finds what changed since the last look; `None` where more jobs ended than are remembered.
    fn look(&mut self) -> Option<()> {
        let ended = self.shared.live.ended_after(self.ends_seen)?;
        self.ends_seen += ended.len() as u64;
        let is_new = |live: &Arc<LiveJob>| self.told.get(&live.id()) != Some(&live.version());
        let mut changed: Vec<JobId> = self
            .unfinished()
            .filter(is_new)
            .map(|live| live.id())
            .collect();
        changed.sort_unstable();
        self.due.extend(changed.into_iter().map(Due::Changed));
        self.due.extend(ended.into_iter().map(Due::Ended));
        Some(())
    }

    /// The job as it is; `None` where its end is still to be seen, or it was dropped since.
    async fn newest(&mut self, due: Due) -> Option<Job> {
        match due {
            Due::Changed(id) => {
                let live = self.shared.live.find(id)?;
                self.told.insert(id, live.version());
                let job = self.shared.present(&live);
                Some(job).filter(|job| !job.state.has_ended())
            }
            Due::Ended(id) => {
                self.told.remove(&id);
                let stored = self.shared.database.job(id).await;
                let stored = stored.inspect_err(|error| {
                    tracing::error!(
                        job.id = %id,
                        error = error as &dyn std::error::Error,
                        "an ended job cannot be told"
                    );
                });
                Some(self.shared.with_heartbeat(stored.ok()??))
            }
        }
    }

    fn unfinished(&self) -> impl Iterator<Item = Arc<LiveJob>> + use<> {
        let all = self.shared.live.all().into_iter();
        all.filter(|live| live.state().is_none_or(|state| !state.has_ended()))
    }
}
