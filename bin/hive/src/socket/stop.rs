//! Stopping the hive of a state folder: exactly the process that holds the lock, and not a word before it has let go.

use std::time::Duration;

use hive_api::StateFolder;
use tokio::time::Instant;

use super::{Holder, LOOK_EVERY, SocketError};

/// How long a hive may take to drain.
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// Stops it, and says which process that was; `None` when none ran.
pub(super) async fn stop(folder: &StateFolder) -> Result<Option<i32>, SocketError> {
    let lock = folder.lock();
    let unclear = |source| SocketError::LockUnreadable {
        lock: folder.lock(),
        source,
    };
    let Some(holder) = Holder::of(&lock).map_err(unclear)? else {
        return Ok(None);
    };
    holder.ask_to_end(&lock).map_err(unclear)?;
    let deadline = Instant::now() + STOP_LIMIT;
    while Holder::of(&lock).map_err(unclear)? == Some(holder) {
        if Instant::now() >= deadline {
            return Err(SocketError::StillStopping {
                pid: holder.pid(),
                log: folder.log(),
            });
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(Some(holder.pid()))
}
