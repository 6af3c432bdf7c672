//! Ctrl+C and its like, for a task that cleans up after itself: it drops what it does, and everything goes with it.

use anyhow::Result;
use tokio::signal::unix::{SignalKind, signal};

/// Waits until this task is told to stop.
pub(crate) async fn told_to_stop() -> Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}
