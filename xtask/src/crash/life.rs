//! One life of a hive: started, perhaps under `strace`, and ended by a kill or in good order.

use std::{
    ffi::OsStr, fs, os::unix::fs::DirBuilderExt, path::PathBuf, process::Stdio, time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use hive_client::{Endpoint, HiveClient};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::{
    net::UnixStream,
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

use super::{point::Point, store::Places};
use crate::programs::Programs;

const LIMIT: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(5);

/// A hive that runs. It and its `strace` are one process group, which is killed when this is dropped.
pub(super) struct Life {
    process: Child,
    group: Pid,
    socket: PathBuf,
}

impl Life {
    /// Starts a hive that knows no folder but this trial's; at a point, one that will die there.
    pub(super) fn start(
        programs: &Programs,
        hub: &str,
        places: &Places,
        point: Option<&Point>,
    ) -> Result<Self> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(0o700).create(places.state())?;
        let hive = programs.hive();
        let mut command = match point {
            None => Command::new(hive),
            Some(point) => {
                let mut strace = Command::new("strace");
                strace.args(point.strace(places)).arg(hive);
                strace
            }
        };
        let process = command
            .arg("serve")
            .env_clear()
            .env(
                "PATH",
                std::env::var_os("PATH")
                    .as_deref()
                    .unwrap_or(OsStr::new("")),
            )
            .env("HOME", &places.home)
            .env("HIVE_STATE_DIR", places.state())
            .env("HF_HUB_CACHE", places.store())
            .env("HF_ENDPOINT", hub)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .context("hive did not start")?;
        let pid = process.id().and_then(|id| i32::try_from(id).ok());
        Ok(Self {
            process,
            group: pid.and_then(Pid::from_raw).context("it runs")?,
            socket: places.socket(),
        })
    }

    /// A client, once the hive listens; `None` if it died before.
    pub(super) async fn client(&mut self) -> Result<Option<HiveClient>> {
        let deadline = Instant::now() + LIMIT;
        while UnixStream::connect(&self.socket).await.is_err() {
            if self.process.try_wait()?.is_some() {
                return Ok(None);
            }
            ensure!(Instant::now() < deadline, "hive does not listen");
            sleep(POLL).await;
        }
        Ok(Some(HiveClient::connect(&Endpoint::UnixSocket(
            self.socket.clone(),
        ))?))
    }

    /// Waits for the death that was ordered at its start.
    pub(super) async fn death(&mut self) -> Result<()> {
        let ended = timeout(LIMIT, self.process.wait()).await;
        ended.context("the point was not reached")??;
        Ok(())
    }

    /// Kills it now.
    pub(super) async fn kill(&mut self) -> Result<()> {
        self.process.kill().await.context("it cannot be killed")
    }

    /// Stops it as a person does; it must end well.
    pub(super) async fn stop(mut self) -> Result<()> {
        kill_process(self.group, Signal::TERM)?;
        let Ok(status) = timeout(LIMIT, self.process.wait()).await else {
            bail!("hive does not stop");
        };
        let status = status?;
        ensure!(status.success(), "hive ended with {status}");
        Ok(())
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        // One that has ended already is gone, and nothing is left to kill.
        let _ = kill_process_group(self.group, Signal::KILL);
    }
}
