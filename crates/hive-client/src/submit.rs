//! Submitting a job exactly once over a connection that may lose the answer.
//!
//! The idempotency key makes the request repeatable: a hive that accepted it the first time answers with the same
//! job. So a POST whose answer was lost is sent again, and one that was never sent is not hidden behind retries.

use std::time::Duration;

use hive_api::{Job, SubmitJob, paths};
use uuid::Uuid;

use crate::{ClientError, HiveClient};

/// Times the same request is sent before its answer is given up.
const TRIES: u32 = 4;
/// The wait before the second try; each further one waits twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// The limit of one answer; a hive answers in 50 ms.
const LIMIT: Duration = Duration::from_secs(15);

/// Names one submission, so that repeating it makes no second job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdempotencyKey(Uuid);

impl IdempotencyKey {
    /// Takes a key; it must be another one for every submission.
    pub const fn new(key: Uuid) -> Self {
        Self(key)
    }
}

impl HiveClient {
    /// Submits a job and answers with it as soon as it is durable. A request whose answer was lost is repeated under
    /// the same key, at most four times within about a minute.
    pub async fn submit(&self, job: &SubmitJob, key: IdempotencyKey) -> Result<Job, ClientError> {
        let mut wait = FIRST_WAIT;
        let mut was_sent = false;
        let mut tries = 1;
        loop {
            let request = self
                .request(http::Method::POST, self.route(paths::JOBS, &[]))
                .header("idempotency-key", key.0.to_string())
                .json(job);
            let error = match self.answer(request, LIMIT).await {
                Ok(job) => return Ok(job),
                Err(error) => error,
            };
            was_sent |= error.may_have_been_received();
            if !was_sent || !error.is_unanswered() || tries == TRIES {
                return Err(error);
            }
            tracing::debug!(error = %error, "the answer to a submission was lost, sending it again");
            tokio::time::sleep(wait).await;
            wait *= 2;
            tries += 1;
        }
    }
}
