//! A job's life written down on its own, small and pure: what the registry is to have done.

use hive_api::JobState::{
    self, Cancelled, Cancelling, Failed, Paused, Pausing, Queued, Running, Succeeded,
};

/// Crashes without a new byte that fail a job.
const CRASHES: u32 = 5;

/// Every job, in the order of submission.
pub(crate) struct Model {
    pub(crate) slots: usize,
    pub(crate) jobs: Vec<ModelJob>,
}

pub(crate) struct ModelJob {
    pub(crate) state: JobState,
    pub(crate) attempt: u32,
    pub(crate) limit: Option<u64>,
    /// What its log tells, one word an event.
    pub(crate) history: Vec<String>,
    phase: Option<&'static str>,
    crashes: u32,
}

impl ModelJob {
    pub(crate) fn submitted() -> Self {
        let mut job = Self {
            state: Queued,
            attempt: 0,
            limit: None,
            history: Vec::new(),
            phase: None,
            crashes: 0,
        };
        job.go(Queued);
        job
    }

    fn go(&mut self, state: JobState) {
        self.state = state;
        self.phase = None;
        self.history.push(state.as_str().to_owned());
    }

    fn enter(&mut self, phase: &'static str) {
        if self.phase != Some(phase) {
            self.phase = Some(phase);
            self.history.push(phase.to_owned());
        }
    }

    fn is_publishing(&self) -> bool {
        self.phase == Some("publishing")
    }

    fn is_at_work(&self) -> bool {
        [Running, Pausing, Cancelling].contains(&self.state)
    }

    pub(crate) fn cancel(&mut self) {
        match self.state {
            Queued | Paused => self.go(Cancelled),
            Running if !self.is_publishing() => self.go(Cancelling),
            Pausing => self.go(Cancelling),
            _ => {}
        }
    }

    /// Whether the registry grants it.
    pub(crate) fn pause(&mut self) -> bool {
        match self.state {
            Queued => self.go(Paused),
            Running if !self.is_publishing() => self.go(Pausing),
            Pausing | Paused => {}
            _ => return false,
        }
        true
    }

    pub(crate) fn resume(&mut self) -> bool {
        let granted = self.state == Paused;
        if granted {
            self.go(Queued);
        }
        granted
    }

    pub(crate) fn limit(&mut self, limit: Option<u64>) -> bool {
        if self.state == Cancelling || self.state.has_ended() {
            return false;
        }
        if self.limit != limit {
            self.limit = limit;
            self.history.push("rate_limit_changed".to_owned());
        }
        true
    }

    pub(crate) fn publish(&mut self) -> bool {
        if self.state == Running {
            self.enter("publishing");
        }
        self.is_publishing()
    }

    pub(crate) fn wait_for_network(&mut self) -> bool {
        if self.state == Running && !self.is_publishing() {
            self.enter("waiting_for_network");
        }
        self.state == Running
    }

    /// Whether crashes were counted until now.
    pub(crate) fn receive(&mut self) -> bool {
        std::mem::take(&mut self.crashes) > 0
    }

    pub(crate) fn work_ends(&mut self, succeeded: bool) {
        match self.state {
            Pausing => self.go(Paused),
            Cancelling => self.go(Cancelled),
            _ if succeeded => self.go(Succeeded),
            _ => self.go(Failed),
        }
    }

    pub(crate) fn crash(&mut self) {
        match self.state {
            Running if self.phase == Some("waiting_for_network") => self.go(Queued),
            Running => {
                self.crashes += 1;
                self.go(if self.crashes < CRASHES {
                    Queued
                } else {
                    Failed
                });
            }
            Pausing => self.go(Paused),
            Cancelling => self.go(Cancelled),
            _ => {}
        }
    }

    /// The hive stops in order, and the work ends in it.
    pub(crate) fn stop(&mut self, succeeds: bool) {
        match self.state {
            Running if succeeds => self.go(Succeeded),
            Running => self.go(Queued),
            Pausing => self.go(Paused),
            Cancelling => self.go(Cancelled),
            _ => {}
        }
    }
}

impl Model {
    /// Fills the slots in order of submission, with at most so many jobs; the jobs that start.
    pub(crate) fn start(&mut self, most: usize) -> Vec<usize> {
        let free = self.slots - self.jobs.iter().filter(|job| job.is_at_work()).count();
        let jobs = self.jobs.iter_mut().enumerate();
        let queued = jobs.filter(|(_, job)| job.state == Queued);
        let start = |(at, job): (usize, &mut ModelJob)| {
            job.attempt += 1;
            job.go(Running);
            at
        };
        queued.take(free.min(most)).map(start).collect()
    }
}
