//! A change is compare-and-set, its event is in the same transaction, and one that failed spoils no later one.

use std::slice;

use hive_api::{Job, JobId, JobState, ModelDownload, Operation, Priority, SubmitJob};
use jiff::Timestamp;
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use tempfile::TempDir;

use super::{Database, Inserted, Unfinished, writing::ROWS_AT_ONCE};
use crate::{
    LogLine, RegistryError, Submission, WriteObserver,
    change::{self, Logged},
};

impl Database {
    /// Lets the file grow no further, as on a full disk, and uses up the room in the page that events go to.
    pub(crate) async fn fill_disk(&self) {
        let options = self.writer.connect_options();
        let mut outside = options
            .as_ref()
            .clone()
            .foreign_keys(false)
            .pragma("max_page_count", "1")
            .connect()
            .await
            .unwrap();
        let filler = "INSERT INTO events (job_id, sequence, name, at_ms, body) \
                      SELECT 'filler', 1 + COUNT(*), 'log', 0, hex(zeroblob(30)) FROM events";
        while sqlx::query(filler).execute(&mut outside).await.is_ok() {}
        let _ = outside.close().await;
        let full = options.as_ref().clone().pragma("max_page_count", "1");
        self.writer.set_connect_options(full);
        set_on_writer(self, "PRAGMA max_page_count = 1").await;
    }

    /// Lets the file grow again.
    pub(crate) async fn free_disk(&self) {
        let most = "4294967294";
        let options = self.writer.connect_options();
        let free = options.as_ref().clone().pragma("max_page_count", most);
        self.writer.set_connect_options(free);
        set_on_writer(self, "PRAGMA max_page_count = 4294967294").await;
    }

    /// Puts a job into a state that only a newer hive knows.
    pub(crate) async fn set_unknown_state(&self, id: JobId) {
        let update = "UPDATE jobs SET state = 'dreaming', job = replace(job, '\"queued\"', '\"dreaming\"') \
                      WHERE job_id = $1";
        let query = sqlx::query(update).bind(id.to_string());
        let updated = query.execute(&self.writer).await.unwrap();
        assert_eq!(updated.rows_affected(), 1);
    }
}

async fn set_on_writer(database: &Database, pragma: &'static str) {
    let mut writer = database.writer.acquire().await.unwrap();
    sqlx::query(pragma).execute(&mut *writer).await.unwrap();
}

async fn open() -> (Database, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("hive.db"), WriteObserver::none()).await;
    (database.unwrap(), folder)
}

fn submission() -> Submission {
    Submission {
        request: SubmitJob {
            operation: Operation::ModelDownload(ModelDownload::default()),
            priority: Priority::Normal,
            limit_bytes_per_second: None,
        },
        submitted_by: "local".to_owned(),
        idempotency_key: None,
    }
}

async fn insert(database: &Database) -> Result<Job, RegistryError> {
    let (submission, now) = (submission(), Timestamp::UNIX_EPOCH);
    let id = JobId::new(uuid::Uuid::now_v7());
    let submitted = change::submitted(&submission, id, now);
    let inserted = database.insert(&submitted, &submission, true, now).await?;
    assert!(matches!(inserted, Inserted::New(_)));
    Ok(submitted.job)
}

#[tokio::test]
async fn a_change_that_was_decided_on_an_older_state_writes_nothing() {
    let (database, _folder) = open().await;
    let (queued, now) = (insert(&database).await.unwrap(), Timestamp::UNIX_EPOCH);
    let started = change::moved(&queued, JobState::Running, None, now);
    database
        .commit(&queued, slice::from_ref(&started), 10)
        .await
        .unwrap();

    let cancelled = change::moved(&queued, JobState::Cancelled, None, now);
    let refused = database
        .commit(&queued, slice::from_ref(&cancelled), 10)
        .await;
    assert!(matches!(refused, Err(RegistryError::Conflict)));

    let mut earlier_attempt = started.job.clone();
    earlier_attempt.attempt = 0;
    let late = change::moved(&earlier_attempt, JobState::Failed, None, now);
    let refused = database
        .commit(&earlier_attempt, slice::from_ref(&late), 10)
        .await;
    assert!(matches!(refused, Err(RegistryError::Conflict)));

    let id = queued.job_id;
    assert_eq!(database.job(id).await.unwrap(), Some(started.job));
    let events = database.events_after(id, 0, 10).await.unwrap();
    let numbers: Vec<_> = events.iter().map(|event| event.sequence).collect();
    assert_eq!(numbers, [queued.sequence, started.logged.sequence]);
    assert_eq!(events.last(), Some(&started.logged));
}

#[tokio::test]
async fn more_jobs_than_one_statement_takes_are_changed_all_or_none() {
    let (database, _folder) = open().await;
    for _ in 0..=ROWS_AT_ONCE {
        insert(&database).await.unwrap();
    }
    let found = database.unfinished().await.unwrap();
    let changed = found.iter().map(|unfinished| {
        let now = Timestamp::UNIX_EPOCH;
        let started = change::moved(&unfinished.job, JobState::Running, None, now);
        (unfinished, started)
    });
    let mut changed: Vec<_> = changed.collect();
    let rows = changed.iter().map(|(before, change)| (*before, 1, change));
    database.commit_all(rows).await.unwrap();

    let started = database.unfinished().await.unwrap();
    assert_eq!(started.len(), ROWS_AT_ONCE + 1);
    for (now, (_, change)) in started.iter().zip(&changed) {
        assert_eq!((&now.job, now.crashes), (&change.job, 1));
        let id = now.job.job_id;
        let events = database.events_after(id, 1, 10).await.unwrap();
        assert_eq!(events, slice::from_ref(&change.logged));
    }

    // All but the last are as they are said to be.
    for ((before, change), now) in changed.iter_mut().zip(&started).rev().skip(1) {
        *before = now;
        *change = change::moved(&now.job, JobState::Cancelling, None, Timestamp::UNIX_EPOCH);
    }
    let rows = changed.iter().map(|(before, change)| (*before, 2, change));
    let refused = database.commit_all(rows).await;
    assert!(matches!(refused, Err(RegistryError::Conflict)));
    let still = database.unfinished().await.unwrap();
    let is_as_before = |(one, other): (&Unfinished, &Unfinished)| one.job == other.job;
    assert!(still.iter().zip(&started).all(is_as_before));
}

#[tokio::test]
async fn the_oldest_log_lines_go_first_and_no_transition_does() {
    let (database, _folder) = open().await;
    let (mut job, now) = (insert(&database).await.unwrap(), Timestamp::UNIX_EPOCH);
    for state in [JobState::Running, JobState::Pausing, JobState::Paused] {
        let mut changes = vec![change::moved(&job, state, None, now)];
        for line in 0..100 {
            let before = &changes[line].job;
            changes.push(change::told(before, LogLine::info("a line"), now));
        }
        database.commit(&job, &changes, 10).await.unwrap();
        job = changes.pop().unwrap().job;
    }
    let events = database.events_after(job.job_id, 0, 1_000).await.unwrap();
    let (lines, transitions): (Vec<_>, Vec<_>) = events
        .iter()
        .partition(|logged| logged.event.name() == "log");
    let numbers = |logged: Vec<&Logged>| -> Vec<_> {
        logged.into_iter().map(|logged| logged.sequence).collect()
    };
    assert_eq!(numbers(transitions), [1, 2, 103, 204]);
    assert_eq!(numbers(lines), (295..=304).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_full_disk_is_told_apart_and_forgotten_when_there_is_room_again() {
    let (database, _folder) = open().await;
    let queued = insert(&database).await.unwrap();
    database.fill_disk().await;
    let cancelled = change::moved(&queued, JobState::Cancelled, None, Timestamp::UNIX_EPOCH);
    for _ in 0..3 {
        let refused = insert(&database).await;
        assert!(
            matches!(refused, Err(RegistryError::DiskFull(_))),
            "{refused:?}"
        );
        let refused = database
            .commit(&queued, slice::from_ref(&cancelled), 10)
            .await;
        assert!(
            matches!(refused, Err(RegistryError::DiskFull(_))),
            "{refused:?}"
        );
    }
    assert_eq!(
        database.job(queued.job_id).await.unwrap(),
        Some(queued.clone())
    );

    database.free_disk().await;
    insert(&database).await.unwrap();
    database
        .commit(&queued, slice::from_ref(&cancelled), 10)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_database_that_someone_else_holds_is_told_apart_and_forgotten_when_it_is_let_go() {
    let (database, _folder) = open().await;
    set_on_writer(&database, "PRAGMA busy_timeout = 0").await;
    let options = database.writer.connect_options();
    let mut outside = SqliteConnection::connect_with(&options).await.unwrap();
    let held = outside.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let refused = insert(&database).await;
    assert!(
        matches!(refused, Err(RegistryError::Busy(_))),
        "{refused:?}"
    );
    held.rollback().await.unwrap();
    insert(&database).await.unwrap();
}
