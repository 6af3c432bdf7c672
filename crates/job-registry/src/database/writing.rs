//! The writes: each is one transaction, durable when its function returns, and told to whoever observes writes.

use std::future::Future;

use hive_api::{Job, JobId};
use jiff::{SignedDuration, Timestamp};
use sqlx::{QueryBuilder, Row, Sqlite, Transaction};
use tokio::time::Instant;

use super::{Database, Inserted, Unfinished, integer, read_id, unsigned};
use crate::{
    RegistryError, Submission,
    change::{Change, Logged},
};

/// How long an idempotency key makes a repeated submission the same job.
const KEY_LIFETIME: SignedDuration = SignedDuration::from_hours(24);
/// Old log lines are dropped when the sequence passes a number that this divides, so that most commits do not look
/// for them.
const PRUNE_EVERY: u64 = 64;
/// Rows that one statement writes: well within the 32,766 parameters that SQLite takes.
pub(super) const ROWS_AT_ONCE: usize = 500;

impl Database {
    /// Makes a write and tells how long it took, from the wait for the connection to the end of the sync.
    pub(super) async fn observed<T>(&self, write: impl Future<Output = T>) -> T {
        let begun = Instant::now();
        let written = write.await;
        self.on_write.wrote(begun.elapsed());
        written
    }

    /// Begins a write and takes it back: whether the database lets itself be written now.
    pub(crate) async fn check_writable(&self) -> Result<(), RegistryError> {
        let transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        Ok(transaction.rollback().await?)
    }

    /// Adds a new job with its first event and its idempotency key, unless the key is known or there is no room.
    pub(crate) async fn insert(
        &self,
        change: &Change,
        submission: &Submission,
        has_room: bool,
        now: Timestamp,
    ) -> Result<Inserted, RegistryError> {
        self.observed(self.insert_new(change, submission, has_room, now))
            .await
    }

    async fn insert_new(
        &self,
        change: &Change,
        submission: &Submission,
        has_room: bool,
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
        if !has_room {
            return Ok(Inserted::NoRoom);
        }
        let next = "UPDATE job_numbers SET last = last + 1 RETURNING last";
        let number: i64 = sqlx::query_scalar(next)
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
        append(&mut transaction, &[(job.job_id, &change.logged)]).await?;
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

    /// Makes changes of one job that follow on each other: one compare-and-set on its state, attempt and sequence, and
    /// the event of each.
    pub(crate) async fn commit(
        &self,
        before: &Job,
        changes: &[Change],
        log_lines_kept: u32,
    ) -> Result<(), RegistryError> {
        self.observed(async {
            let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
            apply(&mut transaction, &[(before, changes)]).await?;
            let sequence = changes
                .last()
                .map_or(before.sequence, |change| change.job.sequence);
            if sequence / PRUNE_EVERY > before.sequence / PRUNE_EVERY {
                prune_log(&mut transaction, before.job_id, log_lines_kept).await?;
            }
            transaction.commit().await?;
            Ok(())
        })
        .await
    }

    /// Makes a change of each of these jobs, all or none, and notes the crashes that are counted against it.
    pub(crate) async fn commit_all(
        &self,
        changes: impl Iterator<Item = (&Unfinished, u32, &Change)>,
    ) -> Result<(), RegistryError> {
        self.observed(async {
            let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
            let (mut rows, mut counted) = (Vec::new(), Vec::new());
            for (Unfinished { job, crashes, .. }, now, change) in changes {
                rows.push((job, std::slice::from_ref(change)));
                if now != *crashes {
                    counted.push((job.job_id, now));
                }
            }
            apply(&mut transaction, &rows).await?;
            set_crashes(&mut transaction, &counted).await?;
            transaction.commit().await?;
            Ok(())
        })
        .await
    }

    /// Counts no crash against the job any more.
    pub(crate) async fn forget_crashes(&self, id: JobId) -> Result<(), RegistryError> {
        self.observed(async {
            let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
            set_crashes(&mut transaction, &[(id, 0)]).await?;
            transaction.commit().await?;
            Ok(())
        })
        .await
    }

    /// Writes an ended job's row anew. It has no event: nothing of the job's course changes.
    pub(crate) async fn rewrite_ended(&self, job: &Job) -> Result<(), RegistryError> {
        let update = "UPDATE jobs SET job = $1 WHERE job_id = $2 AND finished_at_ms IS NOT NULL";
        let query = sqlx::query(update)
            .bind(serde_json::to_string(job)?)
            .bind(job.job_id.to_string());
        self.observed(query.execute(&self.writer)).await?;
        Ok(())
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

/// Makes changes of jobs, those of one job following on each other: one compare-and-set on its state, attempt and
/// sequence, and the event of each. Many rows in one statement: each statement is a way to another thread and back.
async fn apply(
    transaction: &mut Transaction<'_, Sqlite>,
    changed: &[(&Job, &[Change])],
) -> Result<(), RegistryError> {
    for changed in changed.chunks(ROWS_AT_ONCE) {
        let rows = changed.iter().map(|(before, changes)| {
            let after = changes.last().map_or(*before, |change| &change.job);
            Ok((before, after, serde_json::to_string(after)?))
        });
        let rows: Vec<_> = rows.collect::<Result<_, RegistryError>>()?;
        let mut update = QueryBuilder::new(
            "UPDATE jobs SET state = new.column4, attempt = new.column5, sequence = new.column6, \
             finished_at_ms = new.column7, job = new.column8 FROM (",
        );
        update.push_values(rows, |mut row, (before, after, job)| {
            row.push_bind(before.job_id.to_string())
                .push_bind(i64::from(before.attempt))
                .push_bind(integer(before.sequence))
                .push_bind(after.state.as_str().to_owned())
                .push_bind(i64::from(after.attempt))
                .push_bind(integer(after.sequence))
                .push_bind(after.finished_at.map(Timestamp::as_millisecond))
                .push_bind(job)
                .push_bind(before.state.as_str().to_owned());
        });
        update.push(
            ") AS new WHERE jobs.job_id = new.column1 AND jobs.attempt = new.column2 \
             AND jobs.sequence = new.column3 AND jobs.state = new.column9",
        );
        let updated = update.build().execute(&mut **transaction).await?;
        if usize::try_from(updated.rows_affected()) != Ok(changed.len()) {
            return Err(RegistryError::Conflict);
        }
        let logged = changed.iter().flat_map(|&(before, changes)| {
            let logged = changes.iter().map(|change| &change.logged);
            logged.map(move |logged| (before.job_id, logged))
        });
        let logged: Vec<_> = logged.collect();
        append(transaction, &logged).await?;
    }
    Ok(())
}

async fn set_crashes(
    transaction: &mut Transaction<'_, Sqlite>,
    crashes: &[(JobId, u32)],
) -> Result<(), RegistryError> {
    for crashes in crashes.chunks(ROWS_AT_ONCE) {
        let mut update = QueryBuilder::new("UPDATE jobs SET crashes = new.column2 FROM (");
        update.push_values(crashes, |mut row, (id, crashes)| {
            row.push_bind(id.to_string()).push_bind(i64::from(*crashes));
        });
        update.push(") AS new WHERE jobs.job_id = new.column1");
        update.build().execute(&mut **transaction).await?;
    }
    Ok(())
}

async fn append(
    transaction: &mut Transaction<'_, Sqlite>,
    logged: &[(JobId, &Logged)],
) -> Result<(), RegistryError> {
    for logged in logged.chunks(ROWS_AT_ONCE) {
        let rows = logged
            .iter()
            .map(|(id, logged)| Ok((id, logged, logged.event.data()?.to_string())));
        let rows: Vec<_> = rows.collect::<Result<_, RegistryError>>()?;
        let mut insert =
            QueryBuilder::new("INSERT INTO events (job_id, sequence, name, at_ms, body) ");
        insert.push_values(rows, |mut row, (id, logged, data)| {
            row.push_bind(id.to_string())
                .push_bind(integer(logged.sequence))
                .push_bind(logged.event.name().to_owned())
                .push_bind(logged.at.as_millisecond())
                .push_bind(data);
        });
        insert.build().execute(&mut **transaction).await?;
    }
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
