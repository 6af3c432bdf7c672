//! A job's life as a pure, total function: what each trigger does in each state.
//!
//! Publishing is `running` with the phase `publishing`. It is a standing of its own here, because from there on a
//! cancel comes too late.

use hive_api::{Job, JobState, Open, Phase};

/// What can happen to a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trigger {
    /// A slot is free.
    Start,
    /// Someone wants it stopped for good.
    Cancel,
    /// Someone wants it to give back its slot and keep its bytes.
    Pause,
    /// Someone wants it to go on.
    Resume,
    /// Someone wants it to have more or less of something, and to stay where it is.
    Adjust,
    /// The work is about to publish.
    BeginPublishing,
    /// The work ended with a result.
    WorkSucceeded,
    /// The work ended with a problem.
    WorkFailed,
    /// The work ended because it was told to.
    WorkStopped,
    /// The work ended because the hive stops in order.
    HiveStopped,
    /// The hive starts again, and nothing of an earlier start runs any more: what is found at work, a crash left.
    HiveRestarted,
    /// The same, once more than the job is given without a new byte.
    CrashedTooOften,
}

/// What a trigger does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Transition {
    /// The job goes to this state.
    To(JobState),
    /// The job begins to publish.
    Publish,
    /// Nothing changes, and that is a good answer.
    Stay,
    /// It makes no sense here.
    Refuse,
}

/// Where a job stands: its state, with publishing told apart from the rest of `running`, and all states that this
/// build does not know taken together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// In this state, and not publishing.
    In(JobState),
    /// `running`, phase `publishing`.
    Publishing,
    /// In a state of a newer hive. Nothing of the job runs: this one never started it.
    Unknown,
}

impl Standing {
    /// Where this job stands.
    pub(crate) fn of(job: &Job) -> Self {
        let Some(state) = job.state.known() else {
            return Self::Unknown;
        };
        let publishing = *state == JobState::Running
            && job.phase.as_ref().and_then(Open::known) == Some(&Phase::Publishing);
        if publishing {
            Self::Publishing
        } else {
            Self::In(*state)
        }
    }
}

/// What the trigger does to a job that stands here.
pub(crate) const fn transition(standing: Standing, trigger: Trigger) -> Transition {
    match standing {
        Standing::Publishing => publishing(trigger),
        Standing::Unknown => unknown(trigger),
        Standing::In(state) => match state {
            JobState::Queued => queued(trigger),
            JobState::Running => running(trigger),
            JobState::Pausing => pausing(trigger),
            JobState::Paused => paused(trigger),
            JobState::Cancelling => cancelling(trigger),
            JobState::Succeeded | JobState::Failed | JobState::Cancelled => ended(trigger),
        },
    }
}

const fn queued(trigger: Trigger) -> Transition {
    match trigger {
        Trigger::Start => Transition::To(JobState::Running),
        Trigger::Cancel => Transition::To(JobState::Cancelled),
        Trigger::Pause => Transition::To(JobState::Paused),
        Trigger::Adjust | Trigger::HiveStopped | Trigger::HiveRestarted => Transition::Stay,
        Trigger::Resume
        | Trigger::BeginPublishing
        | Trigger::WorkSucceeded
        | Trigger::WorkFailed
        | Trigger::WorkStopped
        | Trigger::CrashedTooOften => Transition::Refuse,
    }
}

const fn running(trigger: Trigger) -> Transition {
    match trigger {
        Trigger::Cancel => Transition::To(JobState::Cancelling),
        Trigger::Pause => Transition::To(JobState::Pausing),
        Trigger::Adjust => Transition::Stay,
        Trigger::BeginPublishing => Transition::Publish,
        Trigger::WorkSucceeded => Transition::To(JobState::Succeeded),
        // Work that stops without having been told to has not done what was asked.
        Trigger::WorkFailed | Trigger::WorkStopped | Trigger::CrashedTooOften => {
            Transition::To(JobState::Failed)
        }
        Trigger::HiveStopped | Trigger::HiveRestarted => Transition::To(JobState::Queued),
        Trigger::Start | Trigger::Resume => Transition::Refuse,
    }
}

const fn publishing(trigger: Trigger) -> Transition {
    match trigger {
        // A cancel comes too late: it ends by itself.
        Trigger::Cancel | Trigger::Adjust | Trigger::BeginPublishing => Transition::Stay,
        Trigger::WorkSucceeded => Transition::To(JobState::Succeeded),
        Trigger::WorkFailed | Trigger::WorkStopped | Trigger::CrashedTooOften => {
            Transition::To(JobState::Failed)
        }
        // Publishing is rolled forward: the work finds its blobs and makes what links are missing.
        Trigger::HiveStopped | Trigger::HiveRestarted => Transition::To(JobState::Queued),
        Trigger::Start | Trigger::Pause | Trigger::Resume => Transition::Refuse,
    }
}

const fn pausing(trigger: Trigger) -> Transition {
    match trigger {
        Trigger::Cancel => Transition::To(JobState::Cancelling),
        Trigger::Pause | Trigger::Adjust => Transition::Stay,
        // However the work ended, it has not published: what it did counts when the job goes on.
        Trigger::WorkSucceeded
        | Trigger::WorkFailed
        | Trigger::WorkStopped
        | Trigger::HiveStopped
        | Trigger::HiveRestarted => Transition::To(JobState::Paused),
        Trigger::Start | Trigger::Resume | Trigger::BeginPublishing | Trigger::CrashedTooOften => {
            Transition::Refuse
        }
    }
}

const fn paused(trigger: Trigger) -> Transition {
    match trigger {
        Trigger::Cancel => Transition::To(JobState::Cancelled),
        Trigger::Resume => Transition::To(JobState::Queued),
        Trigger::Pause | Trigger::Adjust | Trigger::HiveStopped | Trigger::HiveRestarted => {
            Transition::Stay
        }
        Trigger::Start
        | Trigger::BeginPublishing
        | Trigger::WorkSucceeded
        | Trigger::WorkFailed
        | Trigger::WorkStopped
        | Trigger::CrashedTooOften => Transition::Refuse,
    }
}

const fn cancelling(trigger: Trigger) -> Transition {
    match trigger {
        Trigger::Cancel => Transition::Stay,
        Trigger::WorkSucceeded
        | Trigger::WorkFailed
        | Trigger::WorkStopped
        | Trigger::HiveStopped
        | Trigger::HiveRestarted => Transition::To(JobState::Cancelled),
        Trigger::Start
        | Trigger::Pause
        | Trigger::Resume
        | Trigger::Adjust
        | Trigger::BeginPublishing
        | Trigger::CrashedTooOften => Transition::Refuse,
    }
}

const fn ended(trigger: Trigger) -> Transition {
    match trigger {
        Trigger::Cancel | Trigger::HiveStopped | Trigger::HiveRestarted => Transition::Stay,
        Trigger::Start
        | Trigger::Pause
        | Trigger::Resume
        | Trigger::Adjust
        | Trigger::BeginPublishing
        | Trigger::WorkSucceeded
        | Trigger::WorkFailed
        | Trigger::WorkStopped
        | Trigger::CrashedTooOften => Transition::Refuse,
    }
}

const fn unknown(trigger: Trigger) -> Transition {
    match trigger {
        // Whoever wants it gone is obeyed; anything else is left to a hive that knows the state.
        Trigger::Cancel => Transition::To(JobState::Cancelled),
        Trigger::HiveStopped | Trigger::HiveRestarted => Transition::Stay,
        Trigger::Start
        | Trigger::Pause
        | Trigger::Resume
        | Trigger::Adjust
        | Trigger::BeginPublishing
        | Trigger::WorkSucceeded
        | Trigger::WorkFailed
        | Trigger::WorkStopped
        | Trigger::CrashedTooOften => Transition::Refuse,
    }
}

#[cfg(test)]
mod tests;
