//! The frames of a job's event stream: their names and bodies.
//!
//! `state`, `phase`, `log` and the last event are logged and carry a sequence number of their own; `snapshot`,
//! `progress` and `heartbeat` are live only. The SSE `id:` of every frame is the number of the last logged event
//! delivered on that stream.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    Job, PlanSummary, Progress,
    open::{OpenJobState, OpenLogLevel, OpenPhase},
};

/// One frame of a job's event stream.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The whole job, first on every connection.
    Snapshot(Box<Snapshot>),
    /// A transition of the job's state.
    State(StateEvent),
    /// The running job entered a phase.
    Phase(PhaseEvent),
    /// A line of the story: what happened, in words.
    Log(Box<LogEvent>),
    /// Latest figures, at most four a second.
    Progress(Box<Progress>),
    /// Proof of life.
    Heartbeat(Heartbeat),
    /// The last event of a job that did what was asked.
    Succeeded(Box<Job>),
    /// The last event of a job that could not.
    Failed(Box<Job>),
    /// The last event of a job that was told to stop: nothing of it runs any more.
    Cancelled(Box<Job>),
    /// An event of a newer hive: to be shown or passed over, never taken for the end.
    Unknown {
        /// The event's name.
        name: String,
        /// Its body as it came.
        data: serde_json::Value,
    },
}

impl Event {
    /// The SSE event name.
    pub fn name(&self) -> &str {
        match self {
            Self::Snapshot(_) => "snapshot",
            Self::State(_) => "state",
            Self::Phase(_) => "phase",
            Self::Log(_) => "log",
            Self::Progress(_) => "progress",
            Self::Heartbeat(_) => "heartbeat",
            Self::Succeeded(_) => "succeeded",
            Self::Failed(_) => "failed",
            Self::Cancelled(_) => "cancelled",
            Self::Unknown { name, .. } => name,
        }
    }

    /// The body, one JSON value.
    pub fn data(&self) -> Result<serde_json::Value, serde_json::Error> {
        match self {
            Self::Snapshot(body) => serde_json::to_value(body),
            Self::State(body) => serde_json::to_value(body),
            Self::Phase(body) => serde_json::to_value(body),
            Self::Log(body) => serde_json::to_value(body),
            Self::Progress(body) => serde_json::to_value(body),
            Self::Heartbeat(body) => serde_json::to_value(body),
            Self::Succeeded(job) | Self::Failed(job) | Self::Cancelled(job) => {
                serde_json::to_value(job)
            }
            Self::Unknown { data, .. } => Ok(data.clone()),
        }
    }

    /// Reads a frame; a name this build does not know becomes [`Event::Unknown`].
    pub fn parse(name: &str, data: &str) -> Result<Self, serde_json::Error> {
        Ok(match name {
            "snapshot" => Self::Snapshot(serde_json::from_str(data)?),
            "state" => Self::State(serde_json::from_str(data)?),
            "phase" => Self::Phase(serde_json::from_str(data)?),
            "log" => Self::Log(serde_json::from_str(data)?),
            "progress" => Self::Progress(serde_json::from_str(data)?),
            "heartbeat" => Self::Heartbeat(serde_json::from_str(data)?),
            "succeeded" => Self::Succeeded(serde_json::from_str(data)?),
            "failed" => Self::Failed(serde_json::from_str(data)?),
            "cancelled" => Self::Cancelled(serde_json::from_str(data)?),
            _ => Self::Unknown {
                name: name.to_owned(),
                data: serde_json::from_str(data)?,
            },
        })
    }

    /// The job of the one last event of a stream; `None` for every other frame.
    pub fn last(&self) -> Option<&Job> {
        match self {
            Self::Succeeded(job) | Self::Failed(job) | Self::Cancelled(job) => Some(job),
            Self::Snapshot(_)
            | Self::State(_)
            | Self::Phase(_)
            | Self::Log(_)
            | Self::Progress(_)
            | Self::Heartbeat(_)
            | Self::Unknown { .. } => None,
        }
    }
}

/// The body of `snapshot`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Snapshot {
    /// The job as it is now.
    #[serde(flatten)]
    pub job: Job,
    /// False when the reader's `Last-Event-ID` could not be honoured, so that events were missed; else absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resumed: Option<bool>,
}

/// The body of `state`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StateEvent {
    /// This event's number.
    pub sequence: u64,
    /// When it was recorded.
    pub at: Timestamp,
    /// The state entered.
    pub state: OpenJobState,
    /// Which start of the job this is.
    pub attempt: u32,
}

/// The body of `phase`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PhaseEvent {
    /// This event's number.
    pub sequence: u64,
    /// When it was recorded.
    pub at: Timestamp,
    /// The phase entered.
    pub phase: OpenPhase,
}

/// The body of `log`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogEvent {
    /// This event's number.
    pub sequence: u64,
    /// When it was recorded.
    pub at: Timestamp,
    /// How much it matters.
    pub level: OpenLogLevel,
    /// What happened, one sentence without a full stop.
    pub message: String,
    /// The stable code of what happened (`planned`, `stalled`, `upstream_http` …), where it has one.
    pub code: Option<String>,
    /// Which try this is about, from 1, where it is about one.
    #[serde(rename = "try")]
    pub try_number: Option<u32>,
    /// The plan's figures, with code `planned`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanSummary>,
}

/// How much a log line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// Detail that is shown when asked for.
    Debug,
    /// A step of the story.
    Info,
    /// Something went wrong and the job goes on.
    Warning,
    /// Something went wrong and the job does not go on.
    Error,
}

/// The body of `heartbeat`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Heartbeat {
    /// Seconds since the job last started to run, or since it was submitted while it waits.
    pub elapsed_seconds: u64,
    /// Seconds since the job's last activity: a byte, a phase, a log line.
    pub idle_seconds: u64,
    /// Bytes that are here now.
    pub bytes_done: u64,
}
