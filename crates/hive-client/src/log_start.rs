//! Where the log of a job begins: a hive drops the oldest lines of a long one.
//!
//! A hive says only whether a position is still in its log, so the first one that is has to be searched for.

use futures_util::StreamExt;
use hive_api::{Event, JobId};

use crate::{ClientError, ConnectionLoss, Followed, HiveClient};

impl HiveClient {
    /// The number after which every logged event of the job is kept: zero where nothing of its log was dropped.
    pub async fn log_start(&self, job_id: JobId) -> Result<u64, ClientError> {
        let Reach::Gone { sequence } = self.reaches_back_to(job_id, 0).await? else {
            return Ok(0);
        };
        let (mut gone, mut kept) = (0, sequence);
        while kept - gone > 1 {
            let middle = gone + (kept - gone) / 2;
            match self.reaches_back_to(job_id, middle).await? {
                Reach::Kept => kept = middle,
                Reach::Gone { .. } => gone = middle,
            }
        }
        Ok(kept)
    }

    async fn reaches_back_to(&self, job_id: JobId, position: u64) -> Result<Reach, ClientError> {
        let first = self.follow_after(job_id, position).next().await;
        match first.transpose()? {
            Some(Followed::Event {
                event: Event::Snapshot(snapshot),
                ..
            }) if snapshot.resumed == Some(false) => Ok(Reach::Gone {
                sequence: snapshot.job.sequence,
            }),
            // A question with one answer: whoever asked decides whether to ask again.
            Some(Followed::ConnectionLost { reason, .. }) => Err(self.unanswered(&reason)),
            Some(Followed::Event { .. } | Followed::Reconnected { .. }) | None => Ok(Reach::Kept),
        }
    }

    fn unanswered(&self, reason: &ConnectionLoss) -> ClientError {
        ClientError::AnswerLost {
            hive: self.inner.hive.clone(),
            source: reason.to_string().into(),
        }
    }
}

/// Whether a position is in the log.
enum Reach {
    /// Everything after it is there.
    Kept,
    /// Something after it was dropped; the log ends at `sequence`.
    Gone { sequence: u64 },
}
