//! What the scheduler is asked, and what it answers.

use hive_api::{ChangeJob, Job, JobId};
use tokio::sync::oneshot;

use crate::{
    LogLine, RegistryError, Stopped, Submission, SubmitError, Submitted, scheduler::Entry,
    transition::Trigger,
};

/// A change that someone asks for.
#[derive(Debug)]
pub(crate) enum Request {
    /// Only answer.
    Answer { reply: oneshot::Sender<()> },
    /// Accept a job.
    Submit {
        submission: Box<Submission>,
        reply: oneshot::Sender<Result<Submitted, SubmitError>>,
    },
    /// Cancel, pause or resume one.
    Ask {
        job_id: JobId,
        trigger: Trigger,
        reply: oneshot::Sender<Result<Answer, RegistryError>>,
    },
    /// Change what one may use.
    Change {
        job_id: JobId,
        change: ChangeJob,
        reply: oneshot::Sender<Result<Answer, RegistryError>>,
    },
    /// Add a line to its log.
    Log {
        job_id: JobId,
        attempt: u32,
        line: LogLine,
        reply: oneshot::Sender<Result<(), Stopped>>,
    },
    /// Count no crash of the hive against it any more.
    ForgetCrashes {
        job_id: JobId,
        attempt: u32,
        reply: oneshot::Sender<Result<(), Stopped>>,
    },
    /// Record what its work tells besides.
    Record {
        job_id: JobId,
        attempt: u32,
        entry: Entry,
        reply: oneshot::Sender<Result<Recorded, Stopped>>,
    },
}

/// Whether what the work tells is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recorded {
    /// It is, or it may be lost.
    Done,
    /// The database refuses it for now, and the work may not go on without it.
    NotYet,
}

/// What became of a request to cancel, pause, resume or change.
#[derive(Debug)]
pub(crate) enum Answer {
    /// It is recorded, or was already.
    Granted(Box<Job>),
    /// It makes no sense in this state.
    Refused(Box<Job>),
    /// The job has ended, or there is none of this id.
    NotLive,
}
