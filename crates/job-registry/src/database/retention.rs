//! Dropping the jobs that ended first, a few at a time: what each transaction deletes is bounded, so that no submission
//! waits long. The pages that become free are used again, so the file does not grow without end.

use jiff::Timestamp;
use sqlx::Row;

use super::{Database, integer, unsigned};
use crate::RegistryError;

/// Jobs that one step drops at most.
const STEP_JOBS: u64 = 256;
/// Events that one step drops at most, but always those of one job.
const STEP_EVENTS: u64 = 2_000;

/// What a step left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Left {
    /// Ended jobs.
    pub(crate) ended: u64,
    /// Of these, jobs that are to go too.
    pub(crate) surplus: u64,
}

impl Database {
    /// Drops ended jobs that ended before this moment or that are beyond the newest `keep`, with their events and
    /// their idempotency keys: the first that ended, as many as one step may.
    pub(crate) async fn drop_ended(
        &self,
        keep: u32,
        before: Timestamp,
    ) -> Result<Left, RegistryError> {
        let select = "SELECT COUNT(*) AS ended, \
                      COUNT(CASE WHEN finished_at_ms < $1 THEN 1 END) AS aged \
                      FROM jobs WHERE finished_at_ms IS NOT NULL";
        let counts = sqlx::query(select)
            .bind(before.as_millisecond())
            .fetch_one(&self.readers)
            .await?;
        let ended = unsigned(counts.try_get("ended")?);
        let aged = unsigned(counts.try_get("aged")?);
        let surplus = aged.max(ended.saturating_sub(keep.into()));
        if surplus == 0 {
            return Ok(Left { ended, surplus });
        }
        let numbers = self.first_ended(surplus.min(STEP_JOBS)).await?;
        self.observed(async {
            let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
            for number in &numbers {
                sqlx::query("DELETE FROM jobs WHERE number = $1")
                    .bind(number)
                    .execute(&mut *transaction)
                    .await?;
            }
            transaction.commit().await?;
            Ok::<_, RegistryError>(())
        })
        .await?;
        let dropped = numbers.len() as u64;
        Ok(Left {
            ended: ended.saturating_sub(dropped),
            surplus: surplus.saturating_sub(dropped),
        })
    }

    /// The numbers of the jobs that ended first, as many as one step may drop.
    async fn first_ended(&self, most: u64) -> Result<Vec<i64>, RegistryError> {
        let select = "SELECT number, sequence FROM jobs WHERE finished_at_ms IS NOT NULL \
                      ORDER BY finished_at_ms, number LIMIT $1";
        let rows = sqlx::query(select)
            .bind(integer(most))
            .fetch_all(&self.readers)
            .await?;
        let mut numbers = Vec::with_capacity(rows.len());
        let mut events = 0;
        for row in rows {
            // A job has at most as many events as its newest one's number.
            events += unsigned(row.try_get("sequence")?);
            if !numbers.is_empty() && events > STEP_EVENTS {
                break;
            }
            numbers.push(row.try_get("number")?);
        }
        Ok(numbers)
    }
}
