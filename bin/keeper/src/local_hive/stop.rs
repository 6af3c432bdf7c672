//! Stopping the local hive: exactly the process that holds the lock, and not a word before it has let go.

use std::{io, time::Duration};

use tokio::time::Instant;

use super::{Holder, LOOK_EVERY, LocalHive};
use crate::{exit_code, failure::Failure};

/// How long a hive may take to drain.
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// Stops it, and says which process that was; `None` when none ran.
pub(crate) async fn stop(local: &LocalHive) -> Result<Option<i32>, Failure> {
    let lock = local.folder.lock();
    let holder_now = || Holder::of(&lock).map_err(|error| unclear(local, &error));
    let Some(holder) = holder_now()? else {
        return Ok(None);
    };
    holder
        .ask_to_end(&lock)
        .map_err(|error| unclear(local, &error))?;
    let deadline = Instant::now() + STOP_LIMIT;
    while holder_now()? == Some(holder) {
        if Instant::now() >= deadline {
            let pid = holder.pid();
            return Err(Failure::new(
                exit_code::TRY_AGAIN,
                "still_stopping",
                format!("the hive (process {pid}) was told to stop and still runs"),
                format!(
                    "read {}, or end it with kill -9 {pid}",
                    local.folder.log().display()
                ),
            ));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(Some(holder.pid()))
}

fn unclear(local: &LocalHive, error: &io::Error) -> Failure {
    let lock = local.folder.lock();
    Failure::new(
        exit_code::FAILED,
        "lock_unreadable",
        format!("who holds {} cannot be told", lock.display()),
        "end the hive where it was started",
    )
    .because(Some(error.to_string()))
}
