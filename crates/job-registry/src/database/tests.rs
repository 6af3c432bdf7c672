//! A change is compare-and-set, and its event is in the same transaction.

use hive_api::{JobId, JobState, ModelDownload, Operation, Priority, SubmitJob};
use jiff::Timestamp;

use super::Database;
use crate::{RegistryError, Submission, change};

#[tokio::test]
async fn a_change_that_was_decided_on_an_older_state_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("hive.db"))
        .await
        .unwrap();
    let submission = Submission {
        request: SubmitJob {
            operation: Operation::ModelDownload(ModelDownload::default()),
            priority: Priority::Normal,
            limit_bytes_per_second: None,
        },
        submitted_by: "local".to_owned(),
        idempotency_key: None,
    };
    let now = Timestamp::UNIX_EPOCH;
    let id = JobId::new(uuid::Uuid::now_v7());
    let submitted = change::submitted(&submission, id, now);
    database.insert(&submitted, &submission, now).await.unwrap();
    let queued = &submitted.job;
    let started = change::moved(queued, JobState::Running, None, now);
    database.commit(queued, &started, 10).await.unwrap();

    let cancelled = change::moved(queued, JobState::Cancelled, None, now);
    let refused = database.commit(queued, &cancelled, 10).await;
    assert!(matches!(refused, Err(RegistryError::Conflict)));

    let mut earlier_attempt = started.job.clone();
    earlier_attempt.attempt = 0;
    let late = change::moved(&earlier_attempt, JobState::Failed, None, now);
    let refused = database.commit(&earlier_attempt, &late, 10).await;
    assert!(matches!(refused, Err(RegistryError::Conflict)));

    assert_eq!(database.job(id).await.unwrap(), Some(started.job));
    assert_eq!(
        database.events_after(id, 0, 10).await.unwrap(),
        [submitted.logged, started.logged]
    );
}
