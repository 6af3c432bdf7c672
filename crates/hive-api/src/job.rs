//! A job: one unit of work on a hive, as clients see it.

use std::{fmt, str::FromStr};

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    Open, Operation, PlanSummary, Problem, Progress,
    open::{OpenJobResult, OpenJobState, OpenOperation, OpenPhase, OpenPriority},
    paths,
};

/// Seconds between two heartbeats of a job's stream; three of them without a byte is a lost stream.
pub const HEARTBEAT_SECONDS: u32 = 5;

/// A job's id: a UUIDv7 (RFC 9562), sortable by the time of its submission.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(transparent)]
pub struct JobId(Uuid);

impl JobId {
    /// Takes an id that was made elsewhere.
    pub const fn new(id: Uuid) -> Self {
        Self(id)
    }

    /// The UUID itself.
    pub const fn as_uuid(self) -> Uuid {
        self.0
    }

    /// What a person is shown: the last six hexadecimal digits, the random end, since the beginning is the time.
    pub fn short(self) -> String {
        let digits = self.0.simple().to_string();
        digits[digits.len() - 6..].to_owned()
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(formatter)
    }
}

impl FromStr for JobId {
    type Err = ParseJobIdError;

    /// Reads the one spelling that [`fmt::Display`] writes: two names for one job would be one too many.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let id = Uuid::try_parse(text)
            .map(Self)
            .map_err(|_| ParseJobIdError)?;
        if id.to_string() == text {
            Ok(id)
        } else {
            Err(ParseJobIdError)
        }
    }
}

/// The text is not a UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a job id is a UUID in lower case with hyphens")]
pub struct ParseJobIdError;

/// Where a job is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Waits for a slot.
    Queued,
    /// Work is under way.
    Running,
    /// Was told to pause; the work is ending.
    Pausing,
    /// Keeps its bytes and no slot.
    Paused,
    /// Was told to stop; the work is ending.
    Cancelling,
    /// Did what was asked.
    Succeeded,
    /// Could not do what was asked; `error` says why.
    Failed,
    /// Was stopped; nothing of it runs any more.
    Cancelled,
}

impl JobState {
    /// Every state.
    pub const ALL: [Self; 8] = [
        Self::Queued,
        Self::Running,
        Self::Pausing,
        Self::Paused,
        Self::Cancelling,
        Self::Succeeded,
        Self::Failed,
        Self::Cancelled,
    ];

    /// Whether the job has ended for good.
    pub const fn has_ended(self) -> bool {
        match self {
            Self::Succeeded | Self::Failed | Self::Cancelled => true,
            Self::Queued | Self::Running | Self::Pausing | Self::Paused | Self::Cancelling => false,
        }
    }

    /// The state on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Pausing => "pausing",
            Self::Paused => "paused",
            Self::Cancelling => "cancelling",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl Open<JobState> {
    /// Whether the job has ended for good; a state of a newer hive is taken as not ended.
    pub fn has_ended(&self) -> bool {
        self.known().is_some_and(|state| state.has_ended())
    }

    /// The state on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Known(state) => state.as_str(),
            Self::Unknown(state) => state,
        }
    }
}

/// Where a running job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Asks the Hub which commit the revision points to.
    Resolving,
    /// Lists the files and compares them with the store.
    Planning,
    /// Waits until the network is back.
    WaitingForNetwork,
    /// Receives bytes.
    Downloading,
    /// Compares hashes.
    Verifying,
    /// Makes the links and the ref; too late to cancel.
    Publishing,
}

impl Phase {
    /// The phase on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Resolving => "resolving",
            Self::Planning => "planning",
            Self::WaitingForNetwork => "waiting_for_network",
            Self::Downloading => "downloading",
            Self::Verifying => "verifying",
            Self::Publishing => "publishing",
        }
    }
}

/// Who goes first in the queue.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// After all others.
    Low,
    /// First come, first served.
    #[default]
    Normal,
    /// Before all others.
    High,
}

/// The body of `POST /v1/jobs` and `POST /v1/plans`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SubmitJob {
    /// What to do.
    pub operation: Operation,
    /// Its place in the queue.
    #[serde(default)]
    #[schema(default = "normal")]
    pub priority: Priority,
    /// The most bytes a second it may receive, or null for no limit of its own.
    #[serde(default)]
    #[schema(minimum = 1)]
    pub limit_bytes_per_second: Option<u64>,
}

/// The body of `PATCH /v1/jobs/{id}`: what is to change in a job that has not ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChangeJob {
    /// The most bytes a second it may receive from now on, or null for no limit of its own. It must be given: null
    /// lifts a limit, and nothing is not null.
    #[serde(deserialize_with = "given")]
    #[schema(minimum = 1, required = true)]
    pub limit_bytes_per_second: Option<u64>,
}

/// A value that may be null and may not be missing, which serde would take for null.
fn given<'de, D: Deserializer<'de>>(value: D) -> Result<Option<u64>, D::Error> {
    Option::deserialize(value)
}

/// One unit of work on a hive: an id, an operation, a state, an event log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Job {
    /// Its id.
    pub job_id: JobId,
    /// What it was asked to do; of an unknown kind, it is shown and not run.
    pub operation: OpenOperation,
    /// Where it is in its life.
    pub state: OpenJobState,
    /// Where it is while it runs, and where it was when it ended.
    pub phase: Option<OpenPhase>,
    /// Which start of the job this is, from 1; zero before the first.
    pub attempt: u32,
    /// The number of its last logged event.
    pub sequence: u64,
    /// Its place in the queue.
    pub priority: OpenPriority,
    /// The most bytes a second it may receive, or null for no limit of its own.
    pub limit_bytes_per_second: Option<u64>,
    /// How many jobs start before it, from 1, or null unless it is queued.
    pub queue_position: Option<u32>,
    /// Who submitted it: the name of the token, or `local` over the unix socket.
    pub submitted_by: String,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When it last started to run.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// What the reference resolved to, once that is known.
    pub plan: Option<PlanSummary>,
    /// How far it is.
    pub progress: Progress,
    /// When a byte, a phase or a log line last came.
    pub last_activity_at: Option<Timestamp>,
    /// Why it failed.
    pub error: Option<Problem>,
    /// What it made.
    pub result: Option<OpenJobResult>,
    /// Bytes received and kept that are not published.
    pub partial_bytes_kept: u64,
    /// Seconds between heartbeats on its stream.
    pub heartbeat_seconds: u32,
    /// Where it and its events are.
    pub links: JobLinks,
}

/// Where a job and its events are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JobLinks {
    /// The job.
    #[serde(rename = "self")]
    pub this: String,
    /// Its event stream.
    pub events: String,
}

impl JobLinks {
    /// The links of this job.
    pub fn of(id: JobId) -> Self {
        Self {
            this: paths::job(id),
            events: paths::job_events(id),
        }
    }
}

/// The answer of `GET /v1/jobs`: newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct JobList {
    /// One page of jobs.
    pub jobs: Vec<Job>,
    /// What to pass as `cursor` for the next page, or null at the end.
    pub next_cursor: Option<String>,
}

/// What a job made, by the kind of its operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum JobResult {
    /// A published model.
    ModelDownload(ModelDownloaded),
}

/// A model that was downloaded and published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ModelDownloaded {
    /// `org/name`, with `datasets/` before it for a dataset.
    pub repo: String,
    /// The commit, 40 hexadecimal digits.
    pub commit: String,
    /// The snapshot folder on the hive.
    pub snapshot_path: String,
    /// The selected file (its first shard), else the snapshot folder.
    pub path: String,
    /// Files published.
    pub files: u32,
    /// Their bytes.
    pub bytes_total: u64,
    /// Of these, bytes that came over the network in this job.
    pub bytes_received: u64,
}
