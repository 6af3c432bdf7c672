//! An event stream as curl reads it, line by line as it comes.

use std::{process::Stdio, time::Duration};

use anyhow::{Context, Result};
use futures_util::FutureExt;
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

/// Two heartbeats and more.
const LIMIT: Duration = Duration::from_secs(15);

/// A stream that ends when this is dropped.
pub(super) struct Stream {
    lines: Lines<BufReader<ChildStdout>>,
    _curl: Child,
}

impl Stream {
    pub(super) fn of(mut curl: Command) -> Result<Self> {
        let mut curl = curl
            .arg("--no-buffer")
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("curl did not start")?;
        let stdout = curl.stdout.take().context("curl has an output")?;
        Ok(Self {
            lines: BufReader::new(stdout).lines(),
            _curl: curl,
        })
    }

    /// The rest of the next line that begins so.
    pub(super) async fn next(&mut self, beginning: &str) -> Result<String> {
        let found = async {
            while let Some(line) = self.lines.next_line().await? {
                if let Some(rest) = line.strip_prefix(beginning) {
                    return Ok(rest.trim().to_owned());
                }
            }
            anyhow::bail!("the stream ended without `{beginning}`")
        };
        let found = timeout(LIMIT, found).await;
        found.with_context(|| format!("`{beginning}` does not come"))?
    }

    /// What has come by now.
    pub(super) fn lines_by_now(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some(Ok(Some(line))) = self.lines.next_line().now_or_never() {
            lines.push(line);
        }
        lines
    }
}
