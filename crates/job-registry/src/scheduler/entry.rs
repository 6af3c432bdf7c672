//! What the work of a job tells about itself besides log lines, and what that makes of the job: pure.

use hive_api::{Job, JobState, Phase, PlanSummary};
use jiff::Timestamp;

use crate::{
    Stopped,
    change::{self, Change},
    transition::{Standing, Transition, Trigger, transition},
};

/// What work tells about itself.
#[derive(Debug)]
pub(crate) enum Entry {
    /// It enters a phase.
    Phase(Phase),
    /// Its plan, and the line that tells it.
    Planned(Box<PlanSummary>, String),
}

impl Entry {
    /// Whether the work may only go on once this is recorded.
    pub(super) const fn decides(&self) -> bool {
        match self {
            Self::Phase(phase) => matches!(phase, Phase::Publishing),
            Self::Planned(..) => false,
        }
    }

    /// The change to a job that stands here: none if it is there already, [`Stopped`] if its work is to end.
    pub(super) fn change(
        self,
        before: &Job,
        standing: Standing,
        now: Timestamp,
    ) -> Result<Option<Change>, Stopped> {
        match self {
            Self::Phase(Phase::Publishing) => {
                match transition(standing, Trigger::BeginPublishing) {
                    Transition::Publish => {
                        Ok(Some(change::entered(before, Phase::Publishing, now)))
                    }
                    Transition::Stay => Ok(None),
                    Transition::To(_) | Transition::Refuse => Err(Stopped),
                }
            }
            Self::Phase(phase) => match work(standing) {
                Work::Publishing => Ok(None),
                Work::GoesOn if is_in(before, phase) => Ok(None),
                Work::GoesOn => Ok(Some(change::entered(before, phase, now))),
                Work::Ends | Work::None => Err(Stopped),
            },
            Self::Planned(plan, message) => match work(standing) {
                Work::GoesOn | Work::Publishing => {
                    Ok(Some(change::planned(before, *plan, message, now)))
                }
                Work::Ends | Work::None => Err(Stopped),
            },
        }
    }
}

/// Whether the work of a job that stands here may add lines to its log.
pub(super) const fn may_log(standing: Standing) -> bool {
    match work(standing) {
        Work::GoesOn | Work::Publishing | Work::Ends => true,
        Work::None => false,
    }
}

/// How it is with the work of a job.
enum Work {
    GoesOn,
    Publishing,
    /// It was told to stop and may still say why that takes its time.
    Ends,
    None,
}

const fn work(standing: Standing) -> Work {
    match standing {
        Standing::Publishing => Work::Publishing,
        Standing::Unknown => Work::None,
        Standing::In(state) => match state {
            JobState::Running => Work::GoesOn,
            JobState::Pausing | JobState::Cancelling => Work::Ends,
            JobState::Queued
            | JobState::Paused
            | JobState::Succeeded
            | JobState::Failed
            | JobState::Cancelled => Work::None,
        },
    }
}

fn is_in(job: &Job, phase: Phase) -> bool {
    job.phase.as_ref().and_then(|at| at.known()) == Some(&phase)
}
