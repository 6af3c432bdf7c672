//! Whether to try again, how often, and after how long.

use std::time::Duration;

use crate::{DownloadError, Limits, SourceError, SourceErrorKind, Stall};

/// What ended a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryCause {
    /// The source failed.
    Source(SourceErrorKind),
    /// The body stalled.
    Stalled(Stall),
    /// All bytes came and do not have the pinned hash: they are fetched once more from the start.
    IntegrityMismatch,
}

/// A try ended early and another one follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryNotice {
    /// What ended the try.
    pub cause: RetryCause,
    /// The number of the try that follows, counted from 1 since the last progress.
    pub try_number: u32,
    /// The number of the last try that will be made without progress.
    pub tries: u32,
    /// How long the download waits before it.
    pub wait: Duration,
    /// Bytes that are kept, from which it goes on.
    pub bytes_kept: u64,
    /// What happened to what, for a person.
    pub detail: String,
}

/// How a try ended early.
#[derive(Debug)]
pub(crate) enum Failure {
    Source(SourceError),
    Stalled(Stall),
}

/// How much a kind of failure is worth trying again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Persistence {
    /// The same request gets the same answer.
    Never,
    /// The answer was refused as wrong; a renewed request may get a right one.
    Few,
    /// It passes.
    Full,
}

/// The one place that decides what is transient.
const fn persistence(kind: SourceErrorKind) -> Persistence {
    match kind {
        SourceErrorKind::Dns
        | SourceErrorKind::Connect
        | SourceErrorKind::HeadersTimeout
        | SourceErrorKind::RateLimited
        | SourceErrorKind::Proxy
        | SourceErrorKind::Cut => Persistence::Full,
        SourceErrorKind::BadUpstream => Persistence::Few,
        SourceErrorKind::Status(status) => match status {
            // Never implemented here, now or later.
            501 | 505 => Persistence::Never,
            // Request timeout, too early, too many requests, and the server's own troubles.
            408 | 425 | 429 | 500..=599 => Persistence::Full,
            // An expired or refused address, a validator or a range that does not fit: the source can renew these.
            401 | 403 | 412 | 416 => Persistence::Few,
            _ => Persistence::Never,
        },
        SourceErrorKind::Tls
        | SourceErrorKind::Unauthorized
        | SourceErrorKind::NotFound
        | SourceErrorKind::Changed
        | SourceErrorKind::TooManyRedirects => Persistence::Never,
    }
}

/// Counts the tries of one download that brought nothing.
pub(crate) struct RetryBudget<'a> {
    limits: &'a Limits,
    bytes_at_last_failure: u64,
    failures: u32,
}

impl<'a> RetryBudget<'a> {
    pub(crate) const fn new(limits: &'a Limits) -> Self {
        Self {
            limits,
            bytes_at_last_failure: 0,
            failures: 0,
        }
    }

    /// Decides over a try that ended with `bytes` here. `chance`, from 0 to 1, spreads the tries of many downloads.
    pub(crate) fn failed(
        &mut self,
        failure: Failure,
        bytes: u64,
        chance: f64,
    ) -> Result<RetryNotice, DownloadError> {
        if bytes > self.bytes_at_last_failure {
            self.bytes_at_last_failure = bytes;
            self.failures = 0;
        }
        self.failures += 1;
        let tries = match &failure {
            Failure::Source(error) => match persistence(error.kind) {
                Persistence::Never => 1,
                Persistence::Few => self.limits.tries_refused,
                Persistence::Full => self.limits.tries,
            },
            Failure::Stalled(_) => self.limits.tries,
        };
        if self.failures >= tries {
            return Err(self.give_up(failure));
        }
        let backoff = self.backoff(chance);
        let (cause, wait, detail) = match failure {
            Failure::Source(error) => {
                let asked = error.retry_after.unwrap_or_default();
                let wait = backoff.max(asked.min(self.limits.retry_after_cap));
                (RetryCause::Source(error.kind), wait, error.detail)
            }
            Failure::Stalled(stall) => (RetryCause::Stalled(stall), backoff, stall.to_string()),
        };
        Ok(RetryNotice {
            cause,
            try_number: self.failures + 1,
            tries,
            wait,
            bytes_kept: bytes,
            detail,
        })
    }

    fn give_up(&self, failure: Failure) -> DownloadError {
        let tries = self.failures;
        match failure {
            Failure::Source(source) => DownloadError::Source { tries, source },
            Failure::Stalled(stall) => DownloadError::Stalled { tries, stall },
        }
    }

    /// Exponential with full jitter: anything between nothing and the doubled step.
    fn backoff(&self, chance: f64) -> Duration {
        let doubled = 2_u32.saturating_pow(self.failures - 1);
        let step = self.limits.backoff_base.saturating_mul(doubled);
        step.min(self.limits.backoff_cap).mul_f64(chance)
    }
}

#[cfg(test)]
mod tests;
