//! What to do when a signal, a key, an event or a deadline comes: a closed set of inputs, a closed set of decisions.

use std::collections::VecDeque;

use hive_api::{Event, JobId};

use crate::{
    args::OnTerm,
    exit_code::{self, Ending},
    signals::Signal,
};

/// What the command may do to the jobs it follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// It submitted them, so Ctrl+C cancels them.
    Submitter {
        /// What SIGTERM and SIGHUP do.
        on_term: OnTerm,
    },
    /// It only looks.
    Looker,
}

impl Role {
    /// Whether Ctrl+C cancels.
    pub(crate) const fn submits(self) -> bool {
        match self {
            Self::Submitter { .. } => true,
            Self::Looker => false,
        }
    }
}

/// Something happened that may need a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// A signal came.
    Signal(Signal),
    /// `d` was pressed.
    LeaveKey,
    /// The hive has the job.
    Accepted(usize, JobId),
    /// Nothing more comes of the job.
    Ended(usize, End),
    /// The time for the cancelled jobs to end is over, or the short one of who is in a hurry.
    Deadline,
}

/// How following a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Succeeded,
    Failed {
        retryable: bool,
    },
    Cancelled,
    /// It was not accepted, or it cannot be followed; with the exit code.
    Refused(u8),
}

impl End {
    /// The end that a last event tells.
    pub(super) fn of(event: &Event) -> Option<Self> {
        match event {
            Event::Succeeded(_) => Some(Self::Succeeded),
            Event::Cancelled(_) => Some(Self::Cancelled),
            Event::Failed(job) => Some(Self::Failed {
                retryable: job.error.as_ref().is_some_and(|error| error.retryable),
            }),
            Event::Snapshot(_)
            | Event::State(_)
            | Event::Phase(_)
            | Event::Log(_)
            | Event::Progress(_)
            | Event::Heartbeat(_)
            | Event::Unknown { .. } => None,
        }
    }

    const fn code(self) -> u8 {
        match self {
            Self::Succeeded => exit_code::DONE,
            Self::Failed { retryable } => exit_code::of_failed_job(retryable),
            Self::Cancelled => exit_code::CANCELLED,
            Self::Refused(code) => code,
        }
    }
}

/// What to do now.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Decision {
    GoOn,
    /// Tell the hive to cancel these, as this signal asks; none when their ids are still to come.
    Cancel(VecDeque<JobId>, Signal),
    /// Leave as soon as the cancel is on its way.
    Hurry,
    /// End without waiting for the jobs.
    Leave(Leaving),
    /// End: every job has.
    Finish(Outcome),
}

/// Why keeper ends before the jobs do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leaving {
    /// Ctrl+C again, or another signal, before the cancelled jobs had ended.
    CancelUnconfirmed(Signal),
    /// The cancelled jobs did not end in time.
    CancelTimedOut(Signal),
    /// A signal that lets the jobs go on.
    JobsGoOn(Signal),
    /// `d`.
    Detached,
}

impl Leaving {
    /// How the process ends.
    pub(super) fn ending(self) -> Ending {
        match self {
            Self::CancelUnconfirmed(signal)
            | Self::CancelTimedOut(signal)
            | Self::JobsGoOn(signal) => Ending::Signal(signal.number()),
            Self::Detached => Ending::DONE,
        }
    }
}

/// How everything ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    ending: Ending,
    /// Whether a cancel was asked for and every job had succeeded by then.
    pub(super) too_late: bool,
}

impl Outcome {
    /// How the process ends.
    pub(super) const fn ending(self) -> Ending {
        self.ending
    }
}

/// Where a job is, as far as decisions go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum JobCourse {
    Submitting,
    Following(JobId),
    Ended(End),
}

/// The jobs and what was decided about them.
#[derive(Debug)]
pub(super) struct Course {
    role: Role,
    jobs: Vec<JobCourse>,
    ids: Vec<Option<JobId>>,
    /// The signal that the jobs were cancelled by.
    cancelled_by: Option<Signal>,
    /// The signal that came after it. `timeout` and others send one to the process and to its group, so that a second
    /// may come before anything was sent because of the first.
    hurried_by: Option<Signal>,
    /// `d` was pressed before every job had its id.
    leaves_when_accepted: bool,
}

impl Course {
    pub(super) fn new(role: Role, jobs: usize) -> Self {
        Self {
            role,
            jobs: vec![JobCourse::Submitting; jobs],
            ids: vec![None; jobs],
            cancelled_by: None,
            hurried_by: None,
            leaves_when_accepted: false,
        }
    }

    pub(super) const fn submits(&self) -> bool {
        self.role.submits()
    }

    /// Whether keeper is to leave as soon as the cancel is on its way.
    pub(super) const fn is_hurried(&self) -> bool {
        self.hurried_by.is_some()
    }

    /// Which job this is.
    pub(super) fn index_of(&self, id: JobId) -> Option<usize> {
        self.ids.iter().position(|other| *other == Some(id))
    }

    /// Which jobs have not ended; `None` for one whose id has not come.
    pub(super) fn unended(&self) -> Vec<(usize, Option<JobId>)> {
        let jobs = self.jobs.iter().enumerate();
        jobs.filter_map(|(index, job)| match job {
            JobCourse::Submitting => Some((index, None)),
            JobCourse::Following(id) => Some((index, Some(*id))),
            JobCourse::Ended(_) => None,
        })
        .collect()
    }

    /// Takes one input; the only place where a course changes.
    pub(super) fn handle(&mut self, input: Input) -> Decision {
        match input {
            Input::Signal(signal) => self.signal(signal),
            Input::LeaveKey => self.leave_key(),
            Input::Accepted(index, id) => self.accepted(index, id),
            Input::Ended(index, end) => self.ended(index, end),
            Input::Deadline => match (self.hurried_by, self.cancelled_by) {
                (Some(signal), _) => Decision::Leave(Leaving::CancelUnconfirmed(signal)),
                (None, Some(signal)) => Decision::Leave(Leaving::CancelTimedOut(signal)),
                (None, None) => Decision::GoOn,
            },
        }
    }

    fn signal(&mut self, signal: Signal) -> Decision {
        if self.cancelled_by.is_some() {
            return match self.hurried_by.replace(signal) {
                None => Decision::Hurry,
                Some(_) => Decision::Leave(Leaving::CancelUnconfirmed(signal)),
            };
        }
        let cancels = match (self.role, signal) {
            (Role::Submitter { .. }, Signal::Interrupt) => true,
            (Role::Submitter { on_term }, Signal::Terminate | Signal::HangUp) => {
                on_term == OnTerm::Cancel
            }
            (Role::Submitter { .. }, Signal::Quit) | (Role::Looker, _) => false,
        };
        if !cancels {
            return Decision::Leave(Leaving::JobsGoOn(signal));
        }
        self.cancelled_by = Some(signal);
        let ids = self.unended().into_iter().filter_map(|(_, id)| id);
        Decision::Cancel(ids.collect(), signal)
    }

    fn leave_key(&mut self) -> Decision {
        if !self.submits() || self.cancelled_by.is_some() {
            return Decision::GoOn;
        }
        if self.jobs.contains(&JobCourse::Submitting) {
            self.leaves_when_accepted = true;
            return Decision::GoOn;
        }
        Decision::Leave(Leaving::Detached)
    }

    fn accepted(&mut self, index: usize, id: JobId) -> Decision {
        if let Some(job) = self.jobs.get_mut(index) {
            *job = JobCourse::Following(id);
        }
        if let Some(slot) = self.ids.get_mut(index) {
            *slot = Some(id);
        }
        if let Some(signal) = self.cancelled_by {
            return Decision::Cancel(VecDeque::from([id]), signal);
        }
        self.leave_if_wanted()
    }

    fn ended(&mut self, index: usize, end: End) -> Decision {
        if let Some(job) = self.jobs.get_mut(index) {
            *job = JobCourse::Ended(end);
        }
        match self.outcome() {
            Some(outcome) => Decision::Finish(outcome),
            None => self.leave_if_wanted(),
        }
    }

    fn leave_if_wanted(&self) -> Decision {
        if self.leaves_when_accepted && !self.jobs.contains(&JobCourse::Submitting) {
            return Decision::Leave(Leaving::Detached);
        }
        Decision::GoOn
    }

    /// How everything ended, once it has: the exit follows the last events, not the wish.
    fn outcome(&self) -> Option<Outcome> {
        let mut ends = Vec::with_capacity(self.jobs.len());
        for job in &self.jobs {
            match job {
                JobCourse::Ended(end) => ends.push(*end),
                JobCourse::Submitting | JobCourse::Following(_) => return None,
            }
        }
        let code = exit_code::worst(ends.iter().map(|end| end.code()));
        let stopped = |end: &End| matches!(end, End::Cancelled | End::Refused(_));
        let ending = match self.cancelled_by {
            Some(signal) if ends.iter().any(stopped) => Ending::Signal(signal.number()),
            Some(_) | None => Ending::Code(code),
        };
        let too_late = self.cancelled_by.is_some() && ends.iter().all(|end| *end == End::Succeeded);
        Some(Outcome { ending, too_late })
    }
}

#[cfg(test)]
mod tests;
