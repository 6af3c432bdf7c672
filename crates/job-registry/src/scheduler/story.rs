//! The hive's own log of its jobs: one line a change, so that it tells where a job is at every step.

use std::error::Error;

use hive_api::{Event, JobId, LogLevel, Open};

use crate::{RegistryError, change::Change};

/// Says in the hive's own log what a watcher of the job is told.
pub(super) fn tell(change: &Change) {
    let job = &change.job;
    let phase = job.phase.as_ref().map(|phase| match phase {
        Open::Known(phase) => phase.as_str(),
        Open::Unknown(phase) => phase,
    });
    macro_rules! line {
        ($level:ident, $($message:tt)+) => {
            tracing::$level!(
                job.id = %job.job_id,
                job.state = job.state.as_str(),
                job.phase = phase,
                job.attempt = job.attempt,
                job.sequence = job.sequence,
                job.bytes_done = job.progress.bytes_done,
                $($message)+
            )
        };
    }
    match &change.logged.event {
        Event::State(_) | Event::Succeeded(_) | Event::Cancelled(_) => {
            line!(info, "job is {}", job.state.as_str());
        }
        Event::Failed(_) => {
            let problem = job.error.as_ref();
            let detail = problem.map_or("", |problem| &problem.detail);
            line!(warn, "job is failed: {detail}");
        }
        Event::Phase(_) => line!(info, "job is {}", phase.unwrap_or("running")),
        Event::Log(log) => match log.level.known() {
            Some(LogLevel::Debug) => line!(debug, "{}", log.message),
            Some(LogLevel::Info) | None => line!(info, "{}", log.message),
            Some(LogLevel::Warning) => line!(warn, "{}", log.message),
            Some(LogLevel::Error) => line!(error, "{}", log.message),
        },
        // These are live only and never part of a change.
        Event::Snapshot(_) | Event::Progress(_) | Event::Heartbeat(_) | Event::Unknown { .. } => {}
    }
}

/// Says that a change could not be recorded.
pub(super) fn report(id: JobId, error: &RegistryError) {
    tracing::error!(
        job.id = %id,
        error = error as &dyn Error,
        "a change of the job could not be recorded"
    );
}
