//! A hive with a store and a state of its own.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    net::UnixStream,
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

use crate::process;

const LIMIT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(10);

/// A running hive; it is killed if this is dropped.
pub(crate) struct Hive {
    process: Child,
    pub(crate) pid: Pid,
    pub(crate) socket: PathBuf,
}

impl Hive {
    /// Starts it with these arguments after `serve` and waits until it listens.
    pub(crate) async fn start(
        program: &Path,
        arguments: &[&str],
        hub: &str,
        folder: &Path,
    ) -> Result<Self> {
        let mut process = ours(program, hub, folder)
            .arg("serve")
            .args(arguments)
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("hive did not start")?;
        let pid = process::pid(&process)?;
        let socket = folder.join("state/hive.sock");
        let deadline = Instant::now() + LIMIT;
        while UnixStream::connect(&socket).await.is_err() {
            if process.try_wait()?.is_some() || Instant::now() > deadline {
                bail!("hive does not listen");
            }
            sleep(POLL).await;
        }
        Ok(Self {
            process,
            pid,
            socket,
        })
    }

    /// Kills it, as a crash does.
    pub(crate) async fn kill(mut self) -> Result<()> {
        self.process.kill().await.context("it cannot be killed")
    }

    /// Stops it as a person does; it must end well.
    pub(crate) async fn stop(mut self) -> Result<()> {
        self.end().await
    }

    /// The same, for one that another takes the place of.
    pub(crate) async fn end(&mut self) -> Result<()> {
        kill_process(self.pid, Signal::TERM)?;
        let ended = timeout(LIMIT, self.process.wait()).await;
        let status = ended.context("hive does not stop")??;
        ensure!(status.success(), "hive ended with {status}");
        Ok(())
    }
}

/// A program of ours that knows no folder but this one, and no Hub but this one.
pub(crate) fn ours(program: impl AsRef<OsStr>, hub: &str, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("HOME", folder)
        .env("HIVE_STATE_DIR", folder.join("state"))
        .env("HF_ENDPOINT", hub)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    command
}
