//! All SQL of the registry, behind plain functions: one writer connection, a few readers.
//!
//! Statements are standard SQL, so that another database can sit beside SQLite; opening and the schema, in
//! `schema`, are SQLite's own. A change is durable when its function returns: WAL with `synchronous = FULL` syncs
//! every commit (<https://www.sqlite.org/pragma.html#pragma_synchronous>). A change that failed spoils no later one:
//! the registry goes on by itself when what failed is over.

mod failure;
mod schema;

use std::{future::ready, path::Path, time::Duration};

use hive_api::{Event, Job, JobId, JobState};
use jiff::{SignedDuration, Timestamp};
use sqlx::{
    Connection, Row, Sqlite, SqlitePool, Transaction,
    sqlite::{
        SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
    },
};

use crate::{
    OpenError, RegistryError, Submission,
    change::{Change, Logged},
};

/// How long a connection waits for another one's lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an idempotency key makes a repeated submission the same job.
const KEY_LIFETIME: SignedDuration = SignedDuration::from_hours(24);
/// Old log lines are dropped at every sequence number that this divides, so that most commits do not look for them.
const PRUNE_EVERY: u64 = 64;

/// The connections to a registry's database.
#[derive(Debug)]
pub(crate) struct Database {
    writer: SqlitePool,
    readers: SqlitePool,
}

/// One page of a list, newest first.
#[derive(Debug)]
pub(crate) struct Page<'a> {
    pub(crate) state: Option<JobState>,
    pub(crate) kind: Option<&'a str>,
    pub(crate) before: u64,
    pub(crate) limit: u32,
}

/// What became of a submission.
#[derive(Debug)]
pub(crate) enum Inserted {
    /// The job is new; its number in the order of submission.
    New(u64),
    /// The same submission made this job before.
    Replayed(JobId),
    /// The idempotency key belongs to another submission.
    KeyReused,
}

impl Database {
    /// Opens the file, making it if it is not there, and brings its schema up to date.
    pub(crate) async fn open(path: &Path) -> Result<Self, OpenError> {
        schema::make_private(path).await?;
        let failed = |source| failure::open_failure(path, source);
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT)
            .foreign_keys(true);
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            // SQLite itself rolls back a change that finds no space (<https://www.sqlite.org/lang_transaction.html>),
            // so the rollback after it fails, and sqlx counts a transaction that is not there and begins no other.
            // Such a connection is closed and the change goes over a new one.
            .before_acquire(|writer, _| Box::pin(ready(Ok(!writer.is_in_transaction()))))
            .connect_with(options.clone())
            .await
            .map_err(failed)?;
        schema::bring_up_to_date(&writer, path).await?;
        schema::check_pages(&writer, path).await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(4)
            .test_before_acquire(false)
            .connect_with(options.pragma("query_only", "on"))
            .await
            .map_err(failed)?;
        Ok(Self { writer, readers })
    }

    /// Closes every connection, after which nothing holds the file.
    pub(crate) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    /// Adds a new job with its first event and its idempotency key, unless the key is known.
    pub(crate) async fn insert(
        &self,
        change: &Change,
        submission: &Submission,
        now: Timestamp,
    ) -> Result<Inserted, RegistryError> {
        let request = serde_json::to_string(&submission.request)?;
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        if let Some(key) = &submission.idempotency_key {
            let found = find_key(&mut transaction, &submission.submitted_by, key, now).await?;
            match found {
                Some((first, job_id)) if first == request => return Ok(Inserted::Replayed(job_id)),
                Some(_) => return Ok(Inserted::KeyReused),
                None => {}
            }
        }
        let number: i64 = sqlx::query_scalar("SELECT COALESCE(MAX(number), 0) + 1 FROM jobs")
            .fetch_one(&mut *transaction)
            .await?;
        let job = &change.job;
        let insert = "INSERT INTO jobs (number, job_id, kind, state, attempt, sequence, job) \
                      VALUES ($1, $2, $3, $4, $5, $6, $7)";
        sqlx::query(insert)
            .bind(number)
            .bind(job.job_id.to_string())
            .bind(submission.request.operation.kind())
            .bind(job.state.as_str())
            .bind(i64::from(job.attempt))
            .bind(integer(job.sequence))
            .bind(serde_json::to_string(job)?)
            .execute(&mut *transaction)
            .await?;
        append(&mut transaction, job.job_id, &change.logged).await?;
        if let Some(key) = &submission.idempotency_key {
            let insert = "INSERT INTO idempotency_keys \
                          (principal, idempotency_key, request, job_id, created_at_ms) \
                          VALUES ($1, $2, $3, $4, $5)";
            sqlx::query(insert)
                .bind(&submission.submitted_by)
                .bind(key)
                .bind(request)
                .bind(job.job_id.to_string())
                .bind(now.as_millisecond())
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        Ok(Inserted::New(unsigned(number)))
    }

    /// Makes one change: the compare-and-set on the job's state, attempt and sequence, and its event.
    pub(crate) async fn commit(
        &self,
        before: &Job,
        change: &Change,
        log_lines_kept: u32,
    ) -> Result<(), RegistryError> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        apply(&mut transaction, before, change).await?;
        if change.job.sequence.is_multiple_of(PRUNE_EVERY) {
            prune_log(&mut transaction, change.job.job_id, log_lines_kept).await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// Makes many changes, all or none.
    pub(crate) async fn commit_all(
        &self,
        changes: impl Iterator<Item = (&Job, &Change)>,
    ) -> Result<(), RegistryError> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        for (before, change) in changes {
            apply(&mut transaction, before, change).await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// Writes an ended job's row anew. It has no event: nothing of the job's course changes.
    pub(crate) async fn rewrite_ended(&self, job: &Job) -> Result<(), RegistryError> {
        let update = "UPDATE jobs SET job = $1 WHERE job_id = $2 AND finished_at_ms IS NOT NULL";
        sqlx::query(update)
            .bind(serde_json::to_string(job)?)
            .bind(job.job_id.to_string())
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    /// The job as it was last committed.
    pub(crate) async fn job(&self, id: JobId) -> Result<Option<Job>, RegistryError> {
        let row = sqlx::query("SELECT number, job FROM jobs WHERE job_id = $1")
            .bind(id.to_string())
            .fetch_optional(&self.readers)
            .await?;
        row.map(|row| Ok(read_job(&row)?.1)).transpose()
    }

    /// Every job that has not ended, with its number, in the order of submission.
    pub(crate) async fn unfinished(&self) -> Result<Vec<(u64, Job)>, RegistryError> {
        let select = "SELECT number, job FROM jobs WHERE finished_at_ms IS NULL ORDER BY number";
        let rows = sqlx::query(select).fetch_all(&self.readers).await?;
        rows.iter().map(read_job).collect()
    }

    /// One page of jobs with their numbers.
    pub(crate) async fn page(&self, page: &Page<'_>) -> Result<Vec<(u64, Job)>, RegistryError> {
        let select = "SELECT number, job FROM jobs WHERE number < $1 \
                      AND ($2 IS NULL OR state = $2) AND ($3 IS NULL OR kind = $3) \
                      ORDER BY number DESC LIMIT $4";
        let rows = sqlx::query(select)
            .bind(integer(page.before))
            .bind(page.state.map(JobState::as_str))
            .bind(page.kind)
            .bind(i64::from(page.limit))
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(read_job).collect()
    }

    /// The next logged events after this number, at most `limit`.
    pub(crate) async fn events_after(
        &self,
        id: JobId,
        sequence: u64,
        limit: u32,
    ) -> Result<Vec<Logged>, RegistryError> {
        let select = "SELECT sequence, name, at_ms, body FROM events \
                      WHERE job_id = $1 AND sequence > $2 ORDER BY sequence LIMIT $3";
        let rows = sqlx::query(select)
            .bind(id.to_string())
            .bind(integer(sequence))
            .bind(i64::from(limit))
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(read_event).collect()
    }

    /// Whether every logged event after this number up to the other is still there.
    pub(crate) async fn has_all(
        &self,
        id: JobId,
        after: u64,
        up_to: u64,
    ) -> Result<bool, RegistryError> {
        let select = "SELECT COUNT(*) FROM events \
                      WHERE job_id = $1 AND sequence > $2 AND sequence <= $3";
        let count: i64 = sqlx::query_scalar(select)
            .bind(id.to_string())
            .bind(integer(after))
            .bind(integer(up_to))
            .fetch_one(&self.readers)
            .await?;
        Ok(unsigned(count) == up_to - after)
    }
}

/// The request and the job of an idempotency key of this principal; keys past their lifetime are gone.
async fn find_key(
    transaction: &mut Transaction<'_, Sqlite>,
    principal: &str,
    key: &str,
    now: Timestamp,
) -> Result<Option<(String, JobId)>, RegistryError> {
    let expired = now.saturating_sub(KEY_LIFETIME).unwrap_or(Timestamp::MIN);
    sqlx::query("DELETE FROM idempotency_keys WHERE created_at_ms < $1")
        .bind(expired.as_millisecond())
        .execute(&mut **transaction)
        .await?;
    let select = "SELECT request, job_id FROM idempotency_keys \
                  WHERE principal = $1 AND idempotency_key = $2";
    let row = sqlx::query(select)
        .bind(principal)
        .bind(key)
        .fetch_optional(&mut **transaction)
        .await?;
    row.map(|row| Ok((row.try_get("request")?, read_id(&row)?)))
        .transpose()
}

async fn apply(
    transaction: &mut Transaction<'_, Sqlite>,
    before: &Job,
    change: &Change,
) -> Result<(), RegistryError> {
    let after = &change.job;
    let update = "UPDATE jobs SET state = $1, attempt = $2, sequence = $3, finished_at_ms = $4, job = $5 \
                  WHERE job_id = $6 AND state = $7 AND attempt = $8 AND sequence = $9";
    let updated = sqlx::query(update)
        .bind(after.state.as_str())
        .bind(i64::from(after.attempt))
        .bind(integer(after.sequence))
        .bind(after.finished_at.map(Timestamp::as_millisecond))
        .bind(serde_json::to_string(after)?)
        .bind(before.job_id.to_string())
        .bind(before.state.as_str())
        .bind(i64::from(before.attempt))
        .bind(integer(before.sequence))
        .execute(&mut **transaction)
        .await?;
    if updated.rows_affected() != 1 {
        return Err(RegistryError::Conflict);
    }
    append(transaction, after.job_id, &change.logged).await
}

async fn append(
    transaction: &mut Transaction<'_, Sqlite>,
    id: JobId,
    logged: &Logged,
) -> Result<(), RegistryError> {
    let insert =
        "INSERT INTO events (job_id, sequence, name, at_ms, body) VALUES ($1, $2, $3, $4, $5)";
    sqlx::query(insert)
        .bind(id.to_string())
        .bind(integer(logged.sequence))
        .bind(logged.event.name())
        .bind(logged.at.as_millisecond())
        .bind(logged.event.data()?.to_string())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// Drops the oldest log lines beyond the newest `kept`.
async fn prune_log(
    transaction: &mut Transaction<'_, Sqlite>,
    id: JobId,
    kept: u32,
) -> Result<(), RegistryError> {
    let delete = "DELETE FROM events WHERE job_id = $1 AND name = 'log' AND sequence <= \
                  (SELECT sequence FROM events WHERE job_id = $1 AND name = 'log' \
                   ORDER BY sequence DESC LIMIT 1 OFFSET $2)";
    sqlx::query(delete)
        .bind(id.to_string())
        .bind(i64::from(kept))
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

fn read_job(row: &SqliteRow) -> Result<(u64, Job), RegistryError> {
    let job: Job = serde_json::from_str(row.try_get("job")?)?;
    Ok((unsigned(row.try_get("number")?), job))
}

fn read_event(row: &SqliteRow) -> Result<Logged, RegistryError> {
    let at = Timestamp::from_millisecond(row.try_get("at_ms")?);
    Ok(Logged {
        sequence: unsigned(row.try_get("sequence")?),
        at: at.unwrap_or(Timestamp::UNIX_EPOCH),
        event: Event::parse(row.try_get("name")?, row.try_get("body")?)?,
    })
}

fn read_id(row: &SqliteRow) -> Result<JobId, RegistryError> {
    let id: String = row.try_get("job_id")?;
    Ok(serde_json::from_value(id.into())?)
}

/// SQL integers are signed; no count of ours comes near the limit.
fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or_default()
}

#[cfg(test)]
mod tests;
