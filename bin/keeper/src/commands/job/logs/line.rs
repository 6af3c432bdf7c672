//! A logged event as a line: when, what kind, and what happened.

use hive_api::{Event, Job, JobState, LogEvent, LogLevel, Open};
use jiff::Timestamp;

use crate::ui::screens;

/// `2026-11-21T18:30:22.123Z  state    running, attempt 2`; nothing for what is not logged or not understood.
pub(super) fn line_of(event: &Event) -> Option<String> {
    let (at, kind, text) = match event {
        Event::State(change) => {
            let state = change.state.as_str();
            let text = match (&change.state, change.attempt) {
                (Open::Known(JobState::Running), attempt @ 2..) => {
                    format!("{state}, attempt {attempt}")
                }
                _ => state.to_owned(),
            };
            (Some(change.at), "state", text)
        }
        Event::Phase(change) => {
            let phase = match &change.phase {
                Open::Known(phase) => phase.as_str(),
                Open::Unknown(phase) => phase,
            };
            (Some(change.at), "phase", phase.replace('_', " "))
        }
        Event::Log(line) => (Some(line.at), level_of(line), line.message.clone()),
        Event::Succeeded(job) => (job.finished_at, "end", screens::done(job)),
        Event::Failed(job) => (job.finished_at, "end", why_failed(job)),
        Event::Cancelled(job) => (job.finished_at, "end", "Cancelled".to_owned()),
        Event::Snapshot(_) | Event::Progress(_) | Event::Heartbeat(_) | Event::Unknown { .. } => {
            return None;
        }
    };
    let at = at.map_or_else(|| "-".to_owned(), in_milliseconds);
    Some(format!("{at:<24}  {kind:<7}  {text}"))
}

/// Always as wide, so that lines stand below each other.
fn in_milliseconds(at: Timestamp) -> String {
    format!("{at:.3}")
}

fn level_of(line: &LogEvent) -> &str {
    match &line.level {
        Open::Known(LogLevel::Debug) => "debug",
        Open::Known(LogLevel::Info) => "info",
        Open::Known(LogLevel::Warning) => "warning",
        Open::Known(LogLevel::Error) => "error",
        Open::Unknown(level) => level,
    }
}

fn why_failed(job: &Job) -> String {
    match &job.error {
        Some(problem) => format!("Failed: {} ({})", problem.detail, screens::code_of(problem)),
        None => "Failed".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use hive_api::{Heartbeat, JobId, Phase, PhaseEvent, Problem, ProblemCode, StateEvent};
    use uuid::Uuid;

    use super::*;
    use crate::commands::tests::job;

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_millisecond(1_800_000_000_000 + milliseconds).unwrap()
    }

    #[test]
    fn each_logged_event_is_a_line_with_its_time_in_the_same_columns() {
        let mut failed = job(JobId::new(Uuid::from_u128(1)));
        failed.finished_at = Some(at(9_000));
        failed.error = Some(Problem::new(ProblemCode::Stalled, "no byte for 30 s"));
        let entered = |state: JobState| {
            Event::State(StateEvent {
                sequence: 2,
                at: at(0),
                state: state.into(),
                attempt: 2,
            })
        };
        let events = [
            entered(JobState::Queued),
            entered(JobState::Running),
            Event::Phase(PhaseEvent {
                sequence: 3,
                at: at(7),
                phase: Phase::WaitingForNetwork.into(),
            }),
            Event::Log(Box::new(LogEvent {
                sequence: 4,
                at: at(1_020),
                level: LogLevel::Warning.into(),
                message: "file 3 of 3: no byte for 30 s".into(),
                code: None,
                try_number: None,
                plan: None,
            })),
            Event::Failed(Box::new(failed)),
        ];
        let lines: Vec<String> = events.iter().filter_map(line_of).collect();
        assert_eq!(
            lines,
            [
                "2027-01-15T08:00:00.000Z  state    queued",
                "2027-01-15T08:00:00.000Z  state    running, attempt 2",
                "2027-01-15T08:00:00.007Z  phase    waiting for network",
                "2027-01-15T08:00:01.020Z  warning  file 3 of 3: no byte for 30 s",
                "2027-01-15T08:00:09.000Z  end      Failed: no byte for 30 s (stalled)",
            ]
        );
    }

    #[test]
    fn what_is_live_only_is_no_line_of_a_log() {
        let heartbeat = Heartbeat {
            elapsed_seconds: 5,
            idle_seconds: 0,
            bytes_done: 0,
        };
        assert_eq!(line_of(&Event::Heartbeat(heartbeat)), None);
    }
}
