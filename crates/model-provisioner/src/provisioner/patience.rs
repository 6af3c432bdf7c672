//! How a question to the Hub is asked until it has an answer: again after an answer that is an error, and on and on
//! while there is no network.

use std::{future::Future, time::Duration};

use downloader::{Persistence, RetryCause};
use model_store::RepoId;
use tokio::time::{Instant, sleep, timeout_at};

use super::{events::Events, progress::Board};
use crate::{
    HubLimits, ProvisionEvent, ProvisionPhase, RetryEvent,
    hub::{Hub, HubError},
};

/// A question, and how patiently it is asked. Dropping its future ends every wait at once.
pub(crate) struct Question<'a> {
    pub(crate) hub: &'a Hub,
    pub(crate) repo: &'a RepoId,
    pub(crate) events: &'a Events,
    /// Until when there must be an answer; time without a network does not count.
    pub(crate) deadline: Option<Instant>,
    /// How long to wait for the network.
    pub(crate) network_patience: Duration,
    pub(crate) asker: Asker<'a>,
}

/// Who asks, and who is told that there is no network.
#[derive(Clone, Copy)]
pub(crate) enum Asker<'a> {
    /// The whole download, in this phase.
    Download(ProvisionPhase),
    /// One file of it: its place in the plan, its path.
    File(u32, &'a str, &'a Board),
}

/// The time without a network.
struct Outage {
    since: Instant,
    failures: u32,
}

impl Question<'_> {
    /// Asks until there is an answer, an error that asking again does not change, or no patience left. Tells every
    /// retry, and when the network goes and comes back.
    pub(crate) async fn ask<Answer, Asking>(
        &self,
        ask: impl Fn() -> Asking,
    ) -> Result<Answer, HubError>
    where
        Asking: Future<Output = Result<Answer, HubError>>,
    {
        let mut deadline = self.deadline;
        let mut outage = None;
        let mut failures = 0;
        loop {
            let asked = Instant::now();
            let answer = self.ask_once(&ask, deadline).await;
            let persistence = match &answer {
                Ok(_) => Persistence::Never,
                Err(error) => error.persistence(),
            };
            if persistence != Persistence::Network && outage.take().is_some() {
                self.tell_phase(false).await;
            }
            let error = match answer {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let tries = match persistence {
                Persistence::Never => return Err(error),
                Persistence::Few => self.limits().tries_refused,
                Persistence::Full => self.limits().tries,
                Persistence::Network => {
                    self.wait_for_network(error, asked, &mut outage).await?;
                    deadline = deadline.map(|deadline| deadline + asked.elapsed());
                    continue;
                }
            };
            failures += 1;
            if failures >= tries {
                return Err(error);
            }
            self.try_later(&error, failures, tries, deadline).await?;
        }
    }

    async fn ask_once<Answer, Asking>(
        &self,
        ask: impl Fn() -> Asking,
        deadline: Option<Instant>,
    ) -> Result<Answer, HubError>
    where
        Asking: Future<Output = Result<Answer, HubError>>,
    {
        match deadline {
            None => ask().await,
            Some(deadline) => match timeout_at(deadline, ask()).await {
                Ok(answer) => answer,
                Err(_) => Err(self.out_of_time()),
            },
        }
    }

    /// The error of a Hub that gave no answer until the deadline: asking again would be past it too.
    fn out_of_time(&self) -> HubError {
        let mut error = self.hub.silent(self.repo);
        error.is_final = true;
        error
    }

    /// An answer that is an error: another try, after a while.
    async fn try_later(
        &self,
        error: &HubError,
        failures: u32,
        tries: u32,
        deadline: Option<Instant>,
    ) -> Result<(), HubError> {
        let limits = self.limits();
        let asked_for = error.retry_after.unwrap_or_default();
        let wait = backoff(limits, failures, chance()).max(asked_for.min(limits.retry_after_cap));
        self.tell_retry(error, failures + 1, Some(tries), wait)
            .await;
        match deadline {
            None => sleep(wait).await,
            Some(deadline) => {
                let waiting = timeout_at(deadline, sleep(wait));
                waiting.await.map_err(|_| self.out_of_time())?;
            }
        }
        Ok(())
    }

    /// No network: says so, and waits before the next look.
    async fn wait_for_network(
        &self,
        error: HubError,
        asked: Instant,
        outage: &mut Option<Outage>,
    ) -> Result<(), HubError> {
        let (since, failures) = match outage {
            Some(outage) => (outage.since, outage.failures + 1),
            None => (asked, 1),
        };
        let left = self.network_patience.saturating_sub(since.elapsed());
        if left.is_zero() {
            return Err(error);
        }
        if outage.is_none() {
            self.tell_phase(true).await;
        }
        *outage = Some(Outage { since, failures });
        let wait = backoff(self.limits(), failures, chance()).min(left);
        self.tell_retry(&error, failures + 1, None, wait).await;
        sleep(wait).await;
        Ok(())
    }

    // What is told is told to one who still listens: a cancel ends the telling, and the waiting, from outside.

    async fn tell_retry(
        &self,
        error: &HubError,
        try_number: u32,
        tries: Option<u32>,
        wait: Duration,
    ) {
        tracing::warn!(
            hub.address = error.address,
            hub.error = %error,
            retry.try_number = try_number,
            retry.wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
            "asking the hub again"
        );
        let kind = error.kind.of_source();
        let retry = RetryEvent {
            file: self.file(),
            cause: RetryCause::Source(kind),
            message: format!("{kind}: {}", error.detail),
            try_number,
            tries,
            wait,
            bytes_kept: 0,
        };
        let _ = self.events.send(ProvisionEvent::Retry(retry)).await;
    }

    /// The network is gone, or it is back.
    async fn tell_phase(&self, is_gone: bool) {
        match self.asker {
            Asker::Download(phase) => {
                let phase = if is_gone {
                    ProvisionPhase::WaitingForNetwork
                } else {
                    phase
                };
                let _ = self.events.send(ProvisionEvent::Phase(phase)).await;
            }
            Asker::File(index, _, board) => board.waits_for_network(index, is_gone),
        }
    }

    fn limits(&self) -> &HubLimits {
        self.hub.limits()
    }

    fn file(&self) -> Option<(u32, String)> {
        match self.asker {
            Asker::Download(_) => None,
            Asker::File(index, path, _) => Some((index, path.to_owned())),
        }
    }
}

/// Exponential with full jitter: anything between nothing and the doubled step.
fn backoff(limits: &HubLimits, failures: u32, chance: f64) -> Duration {
    let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
    let step = limits.backoff_base.saturating_mul(doubled);
    step.min(limits.backoff_cap).mul_f64(chance)
}

/// A number from 0 to 1 for the jitter; without randomness the whole wait.
fn chance() -> f64 {
    getrandom::u32().map_or(1.0, |random| f64::from(random) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_a_minute_and_is_spread_over_the_whole_step() {
        let limits = HubLimits::default();
        let seconds: Vec<u64> = (1..=8)
            .map(|failures| backoff(&limits, failures, 1.0).as_secs())
            .collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(backoff(&limits, u32::MAX, 1.0).as_secs(), 60);
        assert_eq!(backoff(&limits, 1, 0.25), Duration::from_millis(250));
    }
}
