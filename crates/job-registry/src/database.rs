//! All SQL of the registry, behind plain functions: one writer connection, a few readers.
//!
//! Statements are standard SQL, so that another database can sit beside SQLite; opening and the schema, in
//! `schema`, are SQLite's own. A change is durable when its function returns: WAL with `synchronous = FULL` syncs
//! every commit (<https://www.sqlite.org/pragma.html#pragma_synchronous>). A change that failed spoils no later one:
//! the registry goes on by itself when what failed is over.

mod failure;
mod retention;
mod schema;
mod writing;

use std::{future::ready, path::Path, time::Duration};

use hive_api::{Event, Job, JobId, JobState};
use jiff::Timestamp;
pub(crate) use retention::Left;
use sqlx::{
    Connection, Row, SqlitePool,
    sqlite::{
        SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
    },
};

use crate::{JobCount, OpenError, RegistryError, WriteObserver, change::Logged};

/// How long a connection waits for another one's lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// The WAL is cut to this many bytes when it was longer for once, after a recovery or a large drop of old jobs.
const WAL_BYTES_KEPT: &str = "8388608";
/// The connections to a registry's database.
#[derive(Debug)]
pub(crate) struct Database {
    writer: SqlitePool,
    readers: SqlitePool,
    on_write: WriteObserver,
}

/// A job that has not ended.
#[derive(Debug)]
pub(crate) struct Unfinished {
    /// Its place in the order of submission.
    pub(crate) number: u64,
    /// The job as it was last committed.
    pub(crate) job: Job,
    /// Crashes of the hive while it ran, since the last byte that it received.
    pub(crate) crashes: u32,
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
    /// It would be new, and there is no room for a new one.
    NoRoom,
}

impl Database {
    /// Opens the file, making it if it is not there, and brings its schema up to date.
    pub(crate) async fn open(path: &Path, on_write: WriteObserver) -> Result<Self, OpenError> {
        schema::make_private(path).await?;
        let failed = |source| failure::open_failure(path, source);
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT)
            .pragma("journal_size_limit", WAL_BYTES_KEPT)
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
        Ok(Self {
            writer,
            readers,
            on_write,
        })
    }

    /// Closes every connection, after which nothing holds the file.
    pub(crate) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    /// The job as it was last committed.
    pub(crate) async fn job(&self, id: JobId) -> Result<Option<Job>, RegistryError> {
        let row = sqlx::query("SELECT number, job FROM jobs WHERE job_id = $1")
            .bind(id.to_string())
            .fetch_optional(&self.readers)
            .await?;
        row.map(|row| Ok(read_job(&row)?.1)).transpose()
    }

    /// Every job that has not ended, in the order of submission.
    pub(crate) async fn unfinished(&self) -> Result<Vec<Unfinished>, RegistryError> {
        let select =
            "SELECT number, job, crashes FROM jobs WHERE finished_at_ms IS NULL ORDER BY number";
        let rows = sqlx::query(select).fetch_all(&self.readers).await?;
        let unfinished = |row: &SqliteRow| {
            let (number, job) = read_job(row)?;
            let crashes: i64 = row.try_get("crashes")?;
            Ok(Unfinished {
                number,
                job,
                crashes: u32::try_from(crashes).unwrap_or_default(),
            })
        };
        rows.iter().map(unfinished).collect()
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

    /// How many jobs of each kind are in each state.
    pub(crate) async fn count_jobs(&self) -> Result<Vec<JobCount>, RegistryError> {
        let select = "SELECT state, kind, COUNT(*) AS jobs FROM jobs GROUP BY state, kind";
        let rows = sqlx::query(select).fetch_all(&self.readers).await?;
        let count = |row: &SqliteRow| {
            let state: String = row.try_get("state")?;
            Ok(JobCount {
                state: serde_json::from_value(state.into())?,
                kind: row.try_get("kind")?,
                jobs: unsigned(row.try_get("jobs")?),
            })
        };
        rows.iter().map(count).collect()
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
