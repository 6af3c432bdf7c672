//! A hive that clients of others ask over TCP, with folders of its own.

use std::{path::Path, process::Stdio, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    task::JoinSet,
    time::timeout,
};

use crate::programs::Programs;

const LIMIT: Duration = Duration::from_secs(30);

/// A hive on a free port of loopback, killed when this is dropped.
pub(crate) struct ListeningHive {
    process: Child,
    address: String,
    token: String,
    home: TempDir,
    /// Reads the log, or the hive would wait for us.
    _log: JoinSet<()>,
}

impl ListeningHive {
    /// Returns when it serves.
    pub(crate) async fn start(programs: &Programs, hub: &str) -> Result<Self> {
        let home = TempDir::with_prefix("listening-hive-")?;
        let mut process = command(&programs.hive(), home.path(), hub)
            .args(["serve", "--listen", "127.0.0.1:0"])
            .env("HIVE_LOG_FORMAT", "json")
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("hive did not start")?;
        let log = process.stderr.take().context("its log is ours to read")?;
        let mut lines = BufReader::new(log).lines();
        let serving = async {
            while let Some(line) = lines.next_line().await? {
                let line: serde_json::Value = serde_json::from_str(&line)?;
                if let Some(address) = line["http.listen"].as_str() {
                    return Ok(address.to_owned());
                }
            }
            bail!("hive ended before it served")
        };
        let address = timeout(LIMIT, serving).await.context("hive is slow")??;
        let mut reading = JoinSet::new();
        reading.spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let token = command(&programs.hive(), home.path(), hub)
            .arg("token")
            .output()
            .await?;
        ensure!(token.status.success(), "`hive token` failed: {token:?}");
        Ok(Self {
            process,
            address,
            token: String::from_utf8(token.stdout)?.trim().to_owned(),
            home,
            _log: reading,
        })
    }

    /// Where it listens, `ADDR:PORT`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The bearer token.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// A folder that goes with it.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// Stops it as a person does; it must end well.
    pub(crate) async fn stop(mut self) -> Result<()> {
        let pid = self.process.id().and_then(|id| i32::try_from(id).ok());
        kill_process(
            pid.and_then(Pid::from_raw).context("hive has ended")?,
            Signal::TERM,
        )?;
        let ended = timeout(LIMIT, self.process.wait()).await;
        let status = ended.context("hive does not stop")??;
        ensure!(status.success(), "hive ended with {status}");
        Ok(())
    }
}

fn command(hive: &Path, home: &Path, hub: &str) -> Command {
    let mut command = Command::new(hive);
    command
        .env_clear()
        .env("HOME", home)
        .env("HIVE_STATE_DIR", home.join("state"))
        .env("HF_HUB_CACHE", home.join("store"))
        .env("HF_ENDPOINT", hub)
        .stdin(Stdio::null());
    command
}
