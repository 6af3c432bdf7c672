//! What a change makes of a job, and the event that tells it: pure, so that what is committed and what is published
//! are the same values.

use hive_api::{
    Event, Job, JobId, JobLinks, JobResult, JobState, LogEvent, Open, Phase, PhaseEvent,
    PlanSummary, Problem, Progress, RateLimit, StateEvent,
};
use jiff::Timestamp;

use crate::{LogLine, Submission};

/// One entry of a job's log.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Logged {
    /// Its number, strictly rising per job, without gaps until old log lines are dropped.
    pub(crate) sequence: u64,
    /// When it was recorded.
    pub(crate) at: Timestamp,
    /// What it tells.
    pub(crate) event: Event,
}

/// A job after a change, with the entry that goes into its log in the same transaction.
#[derive(Clone, Debug)]
#[must_use]
pub(crate) struct Change {
    pub(crate) job: Job,
    pub(crate) logged: Logged,
}

/// A job that was just accepted.
pub(crate) fn submitted(submission: &Submission, id: JobId, now: Timestamp) -> Change {
    let job = Job {
        job_id: id,
        operation: Open::Known(submission.request.operation.clone()),
        state: Open::Known(JobState::Queued),
        phase: None,
        attempt: 0,
        sequence: 0,
        priority: Open::Known(submission.request.priority),
        limit_bytes_per_second: submission.request.limit_bytes_per_second,
        queue_position: None,
        submitted_by: submission.submitted_by.clone(),
        created_at: now,
        started_at: None,
        finished_at: None,
        plan: None,
        progress: Progress::default(),
        last_activity_at: None,
        error: None,
        result: None,
        partial_bytes_kept: 0,
        heartbeat_seconds: hive_api::HEARTBEAT_SECONDS,
        links: JobLinks::of(id),
    };
    moved(&job, JobState::Queued, None, now)
}

/// The job in another state, with what its work came to where the state is `succeeded` or `failed`.
pub(crate) fn moved(
    before: &Job,
    state: JobState,
    outcome: Option<Result<JobResult, Problem>>,
    now: Timestamp,
) -> Change {
    let mut job = next(before, now);
    job.state = Open::Known(state);
    match state {
        JobState::Running => {
            job.attempt += 1;
            job.started_at = Some(now);
            job.phase = None;
        }
        JobState::Queued | JobState::Paused => {
            job.phase = None;
            job.progress = at_rest(&job.progress);
        }
        JobState::Pausing | JobState::Cancelling => {}
        JobState::Succeeded | JobState::Failed | JobState::Cancelled => {
            job.finished_at = Some(now);
            job.progress = at_rest(&job.progress);
        }
    }
    match outcome {
        Some(Ok(result)) => {
            job.result = Some(Open::Known(result));
            job.partial_bytes_kept = 0;
        }
        Some(Err(problem)) => job.error = Some(problem),
        None => {}
    }
    let event = match state {
        JobState::Succeeded => Event::Succeeded(Box::new(job.clone())),
        JobState::Failed => Event::Failed(Box::new(job.clone())),
        JobState::Cancelled => Event::Cancelled(Box::new(job.clone())),
        JobState::Queued
        | JobState::Running
        | JobState::Pausing
        | JobState::Paused
        | JobState::Cancelling => Event::State(StateEvent {
            sequence: job.sequence,
            at: now,
            state: job.state.clone(),
            attempt: job.attempt,
        }),
    };
    logged(job, now, event)
}

/// The job in another phase.
pub(crate) fn entered(before: &Job, phase: Phase, now: Timestamp) -> Change {
    let mut job = next(before, now);
    job.phase = Some(Open::Known(phase));
    let event = Event::Phase(PhaseEvent {
        sequence: job.sequence,
        at: now,
        phase: Open::Known(phase),
    });
    logged(job, now, event)
}

/// The job with one more line in its log.
pub(crate) fn told(before: &Job, line: LogLine, now: Timestamp) -> Change {
    log_event(next(before, now), line, None, now)
}

/// The job with its plan, told in a log line with the code `planned`.
pub(crate) fn planned(before: &Job, plan: PlanSummary, message: String, now: Timestamp) -> Change {
    let mut job = next(before, now);
    job.plan = Some(plan.clone());
    let line = LogLine::info(message).with_code("planned");
    log_event(job, line, Some(plan), now)
}

/// The job with another rate limit in bytes a second, told in a log line with the code `rate_limit_changed`.
pub(crate) fn limited(before: &Job, bytes_per_second: Option<u64>, now: Timestamp) -> Change {
    let mut job = next(before, now);
    job.limit_bytes_per_second = bytes_per_second;
    let message = match bytes_per_second {
        Some(_) => format!("rate limit set to {}", RateLimit::new(bytes_per_second)),
        None => "rate limit lifted".to_owned(),
    };
    let line = LogLine::info(message).with_code("rate_limit_changed");
    log_event(job, line, None, now)
}

fn next(before: &Job, now: Timestamp) -> Job {
    Job {
        sequence: before.sequence + 1,
        last_activity_at: Some(now),
        ..before.clone()
    }
}

fn log_event(job: Job, line: LogLine, plan: Option<PlanSummary>, now: Timestamp) -> Change {
    let event = Event::Log(Box::new(LogEvent {
        sequence: job.sequence,
        at: now,
        level: Open::Known(line.level),
        message: line.message,
        code: line.code,
        try_number: line.try_number,
        plan,
    }));
    logged(job, now, event)
}

const fn logged(job: Job, at: Timestamp, event: Event) -> Change {
    let sequence = job.sequence;
    Change {
        job,
        logged: Logged {
            sequence,
            at,
            event,
        },
    }
}

/// Progress of a job that no work is under way for: what is here, and no motion.
fn at_rest(progress: &Progress) -> Progress {
    Progress {
        bytes_per_second: 0,
        eta_seconds: None,
        files: Vec::new(),
        limited_by: None,
        ..progress.clone()
    }
}
