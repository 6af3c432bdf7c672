//! How far a job is: live figures, latest-wins, never part of the durable log.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::open::OpenLimitedBy;

/// A job's progress over all its files.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Progress {
    /// Bytes that are here now: reused and received.
    pub bytes_done: u64,
    /// Bytes of all files, or null while the size is unknown.
    pub bytes_total: Option<u64>,
    /// Bytes that were already in the store when the job planned.
    pub bytes_reused: u64,
    /// Received bytes a second, averaged over the last seconds.
    pub bytes_per_second: u64,
    /// Seconds left at this rate, or null while either is unknown.
    pub eta_seconds: Option<u64>,
    /// Files that are verified and in the store.
    pub files_done: u32,
    /// Files of the plan; zero until the job has planned.
    pub files_total: u32,
    /// The files in transfer now.
    pub files: Vec<FileProgress>,
    /// What holds the job back now, or null when nothing does.
    pub limited_by: Option<OpenLimitedBy>,
    /// How often this attempt tried again, by the code of what made it so.
    #[serde(default)]
    pub retries: BTreeMap<String, u32>,
}

/// One file in transfer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FileProgress {
    /// The file's place in the plan, from 1.
    pub index: u32,
    /// The path in the repository.
    pub path: String,
    /// Bytes received so far.
    pub bytes_done: u64,
    /// The file's size, or null while it is unknown.
    pub bytes_total: Option<u64>,
    /// Received bytes a second, averaged over the last seconds.
    pub bytes_per_second: u64,
    /// Seconds since this file's last byte came.
    pub idle_seconds: u64,
    /// Which try at this file is under way, from 1.
    #[serde(rename = "try")]
    pub try_number: u32,
    /// Tries without progress before the file is given up.
    pub tries: u32,
}

/// What holds a job back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LimitedBy {
    /// The Hub or its CDN answers slowly or not at all.
    Hub,
    /// The line to it.
    Connection,
    /// The job's or the hive's own rate limit.
    RateLimit,
    /// Writing to the store's disk.
    Disk,
    /// Computing hashes.
    Hashing,
}
