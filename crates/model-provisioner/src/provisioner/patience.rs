//! How often a question to the Hub's API is asked, and how long is waited in between.

use std::{future::Future, time::Duration};

use downloader::RetryCause;

use super::events::Events;
use crate::{HubErrorKind, HubLimits, ProvisionEvent, RetryEvent, hub::HubError};

/// Asks until there is an answer, an error that asking again does not change, or no try left. Tells every retry.
pub(crate) async fn ask_patiently<Answer, Asking>(
    limits: &HubLimits,
    events: &Events,
    file: Option<(u32, &str)>,
    ask: impl Fn() -> Asking,
) -> Result<Answer, HubError>
where
    Asking: Future<Output = Result<Answer, HubError>>,
{
    let mut try_number = 1;
    loop {
        let error = match ask().await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        let HubErrorKind::Transfer(kind) = error.kind else {
            return Err(error);
        };
        if !error.is_transient() || try_number >= limits.tries {
            return Err(error);
        }
        let wait = error
            .retry_after
            .unwrap_or_else(|| backoff(limits, try_number));
        let wait = wait.min(limits.backoff_cap);
        try_number += 1;
        tracing::warn!(
            hub.address = error.address,
            hub.error = %error,
            retry.try_number = try_number,
            retry.wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
            "asking the hub again"
        );
        let retry = RetryEvent {
            file: file.map(|(index, path)| (index, path.to_owned())),
            cause: RetryCause::Source(kind),
            message: format!("{kind}: {}", error.detail),
            try_number,
            tries: limits.tries,
            wait,
            bytes_kept: 0,
        };
        // A cancel ends the wait from outside.
        let _ = events.send(ProvisionEvent::Retry(retry)).await;
        tokio::time::sleep(wait).await;
    }
}

fn backoff(limits: &HubLimits, try_number: u32) -> Duration {
    let doublings = 2_u32.saturating_pow(try_number - 1);
    limits.backoff_base.saturating_mul(doublings)
}
