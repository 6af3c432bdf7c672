//! The wire contract between a hive and its clients: the JSON objects, paths and problem codes of HTTP API v1.
//!
//! Data only. This crate does no I/O and knows no runtime, so that both sides can share it and neither drags in
//! the other. Every object here is serialised in a test against the example that the documentation shows
//! (`docs/api/*.json`). Sizes are bytes, times are RFC 3339 UTC.

mod access;
mod dashboard;
mod doctor;
mod event;
pub mod figures;
mod fingerprint;
mod hive_info;
mod hub_account;
mod job;
mod local;
mod model;
mod open;
mod operation;
pub mod paths;
mod plan;
mod problem;
mod progress;
mod rate_limit;
mod socket;

pub use access::{
    AuditEntry, AuditPage, Caller, CreatePairCode, CreateToken, NewToken, Pair, PairCode,
    ParseScopeError, Scope, TokenInfo, TokenList,
};
pub use dashboard::{HiveHeartbeat, JobsSnapshot};
pub use doctor::{
    Diagnosis, DoctorSummary, Finding, FindingLevel, MeasuredRates, RunDoctor, StreamTick,
};
pub use event::{Event, Heartbeat, LogEvent, LogLevel, PhaseEvent, Snapshot, StateEvent};
pub use fingerprint::{Fingerprint, ParseFingerprintError};
pub use hive_info::{HiveInfo, HiveTls, Ready};
pub use hub_account::{HubAccount, SetHubToken};
pub use job::{
    ChangeJob, HEARTBEAT_SECONDS, Job, JobId, JobLinks, JobList, JobResult, JobState,
    ModelDownloaded, ParseJobIdError, Phase, Priority, SubmitJob,
};
pub use local::{NoStateFolder, StateFolder, machine_id};
pub use model::{ModelFile, ModelList, ModelState, RemovedModel, StoredModel};
pub use open::Open;
pub use operation::{ModelDownload, Operation};
pub use plan::{Access, LeftOut, Plan, PlanSummary, PlannedFile};
pub use problem::{InvalidField, Problem, ProblemCode, Suggestion};
pub use progress::{FileProgress, LimitedBy, Progress};
pub use rate_limit::{ParseRateLimitError, RateLimit};
pub use socket::{RunState, SocketAnswer, SocketRefusal};
