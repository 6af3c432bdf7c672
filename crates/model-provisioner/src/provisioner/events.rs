//! The way of events to the caller: with backpressure, and never in the way of a cancel.

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{ProvisionError, ProvisionEvent};

/// Sends events until the download is cancelled.
#[derive(Clone)]
pub(crate) struct Events {
    /// `None` when nobody listens.
    sender: Option<mpsc::Sender<ProvisionEvent>>,
    cancellation: CancellationToken,
}

impl Events {
    pub(crate) fn new(
        sender: mpsc::Sender<ProvisionEvent>,
        cancellation: CancellationToken,
    ) -> Self {
        Self {
            sender: Some(sender),
            cancellation,
        }
    }

    /// Sends to nobody.
    pub(crate) fn none() -> Self {
        Self {
            sender: None,
            cancellation: CancellationToken::new(),
        }
    }

    /// The same way, given up also when `cancellation` fires.
    pub(crate) fn until(&self, cancellation: CancellationToken) -> Self {
        Self {
            sender: self.sender.clone(),
            cancellation,
        }
    }

    /// Waits until the caller has room. A caller that listens no more does not stop the download.
    pub(crate) async fn send(&self, event: ProvisionEvent) -> Result<(), ProvisionError> {
        let Some(sender) = &self.sender else {
            return Ok(());
        };
        match self
            .cancellation
            .run_until_cancelled(sender.send(event))
            .await
        {
            Some(_) => Ok(()),
            None => Err(ProvisionError::Cancelled),
        }
    }

    /// Sends if there is room now; the next figures replace these anyway.
    pub(crate) fn send_figures(&self, event: ProvisionEvent) {
        if let Some(sender) = &self.sender {
            let _ = sender.try_send(event);
        }
    }
}
