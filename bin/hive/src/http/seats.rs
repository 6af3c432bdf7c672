//! Seats for event streams: so many on this hive, and fewer of them at one job, so that no job takes them all.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use hive_api::{JobId, Problem, ProblemCode};

use super::problems::Refusal;
use crate::config::ConnectionLimits;

/// All seats of a hive.
#[derive(Debug)]
pub(crate) struct Seats {
    most: usize,
    most_at_one_job: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_job: HashMap<JobId, usize>,
}

/// A seat, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    seats: Arc<Seats>,
    job: Option<JobId>,
}

impl Seats {
    pub(crate) fn new(limits: &ConnectionLimits) -> Arc<Self> {
        Arc::new(Self {
            most: limits.open_streams,
            most_at_one_job: limits.open_streams_per_job,
            taken: Mutex::default(),
        })
    }

    /// How many are taken.
    pub(crate) fn taken(&self) -> usize {
        self.lock().all
    }

    /// Takes one, at this job if the stream is one job's.
    pub(super) fn take(self: &Arc<Self>, job: Option<JobId>) -> Result<Seat, Refusal> {
        let mut taken = self.lock();
        if taken.all >= self.most {
            return Err(refusal("too many event streams are open on this hive"));
        }
        if let Some(job) = job {
            let at_job = taken.by_job.entry(job).or_default();
            if *at_job >= self.most_at_one_job {
                return Err(refusal("too many event streams of this job are open"));
            }
            *at_job += 1;
        }
        taken.all += 1;
        Ok(Seat {
            seats: Arc::clone(self),
            job,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.lock();
        taken.all -= 1;
        if let Some(job) = self.job
            && let Some(at_job) = taken.by_job.get_mut(&job)
        {
            *at_job -= 1;
            if *at_job == 0 {
                taken.by_job.remove(&job);
            }
        }
    }
}

fn refusal(detail: &str) -> Refusal {
    Problem::new(ProblemCode::TooManyStreams, detail)
        .with_hint("close one, or ask for the job with ?wait_seconds=30")
        .into()
}
