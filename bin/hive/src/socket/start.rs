//! Starting a hive in the background that outlives its caller and holds nothing of it.

use std::{env, io, process::Stdio, time::Duration};

use hive_api::StateFolder;
use tokio::{
    process::{Child, Command},
    time::Instant,
};

use super::{Holder, LOOK_EVERY, SocketError, answers, log};
use crate::{
    exit_code::{Failure, STATE_FOLDER_OWNED},
    state_folder,
};

/// A started hive ends by itself after this time with nothing to do.
const IDLE_EXIT: &str = "15m";
/// How long a hive may take from its start to its first answer.
const START_LIMIT: Duration = Duration::from_secs(10);

/// Starts a hive where none answers and waits until one does. The process that was started for it is named where it is
/// that hive: another caller may have been faster.
pub(super) async fn start(folder: &StateFolder) -> Result<Option<i32>, Failure> {
    let socket = folder.socket();
    if answers(&socket).await {
        return Ok(None);
    }
    state_folder::prepare(folder)?;
    let (mut child, log_start) = spawn(folder).map_err(|source| SocketError::NotStarted {
        folder: folder.path().to_owned(),
        source,
    })?;
    let deadline = Instant::now() + START_LIMIT;
    loop {
        if answers(&socket).await {
            return Ok(holder_if(folder, &child));
        }
        let lines = || log::last_lines(&folder.log(), log_start);
        if let Some(status) = child.try_wait()?
            // Another caller was faster: its hive is about to answer.
            && status.code() != Some(STATE_FOLDER_OWNED.into())
        {
            return Err(Failure::from(SocketError::EndedEarly {
                code: status.code(),
                log: folder.log(),
                lines: lines(),
            }));
        }
        if Instant::now() >= deadline {
            return Err(Failure::from(SocketError::Silent {
                limit: START_LIMIT,
                log: folder.log(),
                lines: lines(),
            }));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// The child's process id, where it holds the lock.
fn holder_if(folder: &StateFolder, child: &Child) -> Option<i32> {
    let child = child.id().and_then(|id| i32::try_from(id).ok());
    let holder = Holder::of(&folder.lock()).ok().flatten().map(Holder::pid);
    holder.filter(|holder| child == Some(*holder))
}

/// Spawns it, and says where its part of the log begins. `--new-session` makes it leave our session before it does
/// anything else; it is in our process group until then, since a group's leader cannot found a session (setsid(2)).
fn spawn(folder: &StateFolder) -> io::Result<(Child, u64)> {
    let log = log::open(&folder.log())?;
    let log_start = log.metadata()?.len();
    // What our caller left open without the flag must not live as long as the hive.
    close_fds::set_fds_cloexec_threadsafe(3, &[]);
    let child = Command::new(env::current_exe()?)
        .args(["serve", "--idle-exit", IDLE_EXIT, "--new-session"])
        // Where our caller is part of a service, the hive is not.
        .env_remove("NOTIFY_SOCKET")
        .env_remove("WATCHDOG_PID")
        .env_remove("WATCHDOG_USEC")
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .kill_on_drop(false)
        .spawn()?;
    Ok((child, log_start))
}
