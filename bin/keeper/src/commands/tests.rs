//! A job for the tests of commands and screens.

use hive_api::{
    Job, JobId, JobLinks, JobState, ModelDownload, Open, Operation, Phase, Priority, Progress,
};
use jiff::Timestamp;

/// A running download.
pub(crate) fn job(job_id: JobId) -> Job {
    Job {
        job_id,
        operation: Open::Known(Operation::ModelDownload(ModelDownload {
            model: "Qwen/Qwen3-8B-GGUF:Q4_K_M".into(),
            ..ModelDownload::default()
        })),
        state: JobState::Running.into(),
        phase: Some(Phase::Downloading.into()),
        attempt: 1,
        sequence: 1,
        priority: Priority::Normal.into(),
        limit_bytes_per_second: None,
        queue_position: None,
        submitted_by: "local".into(),
        created_at: Timestamp::from_second(1_800_000_000).unwrap(),
        started_at: None,
        finished_at: None,
        plan: None,
        progress: Progress::default(),
        last_activity_at: None,
        error: None,
        result: None,
        partial_bytes_kept: 0,
        heartbeat_seconds: 5,
        links: JobLinks::of(job_id),
    }
}
