//! Whether to try again, how often, and after how long.

use std::time::Duration;

use tokio::time::Instant;

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

impl RetryCause {
    /// Whether both are the same but for the figures of a stall.
    pub(crate) fn is_like(self, other: Self) -> bool {
        match (self, other) {
            (Self::Stalled(_), Self::Stalled(_)) => true,
            _ => self == other,
        }
    }
}

/// A try ended early and another one follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryNotice {
    /// What ended the try.
    pub cause: RetryCause,
    /// The number of the try that follows, counted from 1 since the last progress.
    pub try_number: u32,
    /// The number of the last try that will be made without progress; `None` where the network is gone and the
    /// download waits until it is back.
    pub tries: Option<u32>,
    /// How long the range waits before it.
    pub wait: Duration,
    /// Bytes of the file that are kept, from which it goes on.
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
pub enum Persistence {
    /// The same request gets the same answer.
    Never,
    /// The answer was refused as wrong; a renewed request may get a right one.
    Few,
    /// It passes.
    Full,
    /// There was no answer and could be none: the network is gone, and comes back.
    Network,
}

impl SourceErrorKind {
    /// Whether it passes: the one place that decides what is transient, for files and for questions about them.
    pub const fn persistence(self) -> Persistence {
        match self {
            // A TLS connection that is cut while it is set up is a `Connect`.
            Self::Dns | Self::Connect => Persistence::Network,
            // A proxy that refuses does so tomorrow too, and cannot be told from one that is down.
            Self::HeadersTimeout | Self::RateLimited | Self::Proxy | Self::Cut => Persistence::Full,
            Self::BadUpstream => Persistence::Few,
            Self::Status(status) => match status {
                // Never implemented here, now or later.
                501 | 505 => Persistence::Never,
                // Request timeout, too early, too many requests, and the server's own troubles.
                408 | 425 | 429 | 500..=599 => Persistence::Full,
                // An expired or refused address, a validator or a range that does not fit: the source can renew these.
                401 | 403 | 412 | 416 => Persistence::Few,
                _ => Persistence::Never,
            },
            Self::Tls
            | Self::Unauthorized
            | Self::NotFound
            | Self::Changed
            | Self::TooManyRedirects => Persistence::Never,
        }
    }
}

/// What follows a try that ended early.
#[derive(Debug)]
pub(crate) struct Retry {
    pub(crate) notice: RetryNotice,
    /// Whether it is the first to say so: ranges that fail together have one cause, which is told once.
    pub(crate) is_news: bool,
}

/// Counts the tries of one download that brought nothing, over all its ranges.
///
/// Ranges that fail together, because a server went away under all of them, count as one: only a try that began after
/// the last failure counts anew.
pub(crate) struct RetryBudget<'a> {
    limits: &'a Limits,
    bytes_at_last_failure: u64,
    failures: u32,
    rounds: u64,
    offline: Option<Offline>,
}

/// A network that is gone.
#[derive(Clone, Copy, Debug)]
struct Offline {
    since: Instant,
    /// Rounds of tries that found it gone.
    tries: u32,
}

/// When a try began, in rounds of failures.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Round(u64);

/// A try that ended early, and what is known of it.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) failure: Failure,
    pub(crate) round: Round,
    /// Failures of this range in a row, this one included.
    pub(crate) in_a_row: u32,
    /// Bytes of the file that are here.
    pub(crate) bytes: u64,
    pub(crate) now: Instant,
    /// From 0 to 1: spreads the tries of many ranges.
    pub(crate) chance: f64,
}

impl<'a> RetryBudget<'a> {
    pub(crate) const fn new(limits: &'a Limits, bytes: u64) -> Self {
        Self {
            limits,
            bytes_at_last_failure: bytes,
            failures: 0,
            rounds: 0,
            offline: None,
        }
    }

    /// A try begins.
    pub(crate) const fn begin(&self) -> Round {
        Round(self.rounds)
    }

    /// Decides over a try that ended early.
    pub(crate) fn failed(&mut self, failed: Failed) -> Result<Retry, DownloadError> {
        let is_news = failed.round.0 == self.rounds;
        self.rounds += u64::from(is_news);
        if failed.bytes > self.bytes_at_last_failure {
            self.bytes_at_last_failure = failed.bytes;
            self.failures = 0;
            self.offline = None;
        }
        let persistence = match &failed.failure {
            Failure::Source(error) => error.kind.persistence(),
            Failure::Stalled(_) => Persistence::Full,
        };
        let tries = match persistence {
            Persistence::Network => {
                let notice = self.without_network(failed, is_news)?;
                return Ok(Retry { notice, is_news });
            }
            Persistence::Never => 1,
            Persistence::Few => self.limits.tries_refused,
            Persistence::Full => self.limits.tries,
        };
        // Whatever it was, it came over the network.
        self.offline = None;
        self.failures += u32::from(is_news || self.failures == 0);
        if self.failures >= tries {
            return Err(give_up(failed.failure, self.failures));
        }
        let notice = self.notice(failed, self.failures + 1, Some(tries));
        Ok(Retry { notice, is_news })
    }

    /// No answer counts against the tries where there is nobody to give one.
    fn without_network(
        &mut self,
        failed: Failed,
        is_news: bool,
    ) -> Result<RetryNotice, DownloadError> {
        let offline = self.offline.get_or_insert(Offline {
            since: failed.now,
            tries: 0,
        });
        offline.tries += u32::from(is_news || offline.tries == 0);
        let Offline { since, tries } = *offline;
        if failed.now.duration_since(since) >= self.limits.network_patience {
            return Err(give_up(failed.failure, tries));
        }
        // All ranges wait for the same network, so they count together.
        let in_a_row = tries;
        Ok(self.notice(Failed { in_a_row, ..failed }, tries + 1, None))
    }

    fn notice(&self, failed: Failed, try_number: u32, tries: Option<u32>) -> RetryNotice {
        let backoff = self.backoff(failed.in_a_row, failed.chance);
        let (cause, wait, detail) = match failed.failure {
            Failure::Source(error) => {
                let asked = error.retry_after.unwrap_or_default();
                let wait = backoff.max(asked.min(self.limits.retry_after_cap));
                (RetryCause::Source(error.kind), wait, error.detail)
            }
            Failure::Stalled(stall) => (RetryCause::Stalled(stall), backoff, stall.to_string()),
        };
        RetryNotice {
            cause,
            try_number,
            tries,
            wait,
            bytes_kept: failed.bytes,
            detail,
        }
    }

    /// Exponential with full jitter: anything between nothing and the doubled step.
    fn backoff(&self, in_a_row: u32, chance: f64) -> Duration {
        let doubled = 2_u32.saturating_pow(in_a_row.saturating_sub(1));
        let step = self.limits.backoff_base.saturating_mul(doubled);
        step.min(self.limits.backoff_cap).mul_f64(chance)
    }
}

fn give_up(failure: Failure, tries: u32) -> DownloadError {
    match failure {
        Failure::Source(source) => DownloadError::Source { tries, source },
        Failure::Stalled(stall) => DownloadError::Stalled { tries, stall },
    }
}

#[cfg(test)]
mod tests;
