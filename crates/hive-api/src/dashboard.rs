//! What is told of all jobs together: the bodies of `GET /v1/events`, whose `job` is a whole [`Job`].

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Job;

/// The body of `snapshot`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct JobsSnapshot {
    /// Every unfinished job, oldest first.
    pub jobs: Vec<Job>,
}

/// The body of `heartbeat`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HiveHeartbeat {
    /// Jobs that are at work now.
    pub running_jobs: u32,
    /// Jobs that wait for a slot.
    pub queued_jobs: u32,
}
