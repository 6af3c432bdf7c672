//! A keeper whose outputs are files: read while it runs, and whole when it has ended.

use std::{
    fs::{self, File},
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Result, bail, ensure};
use rustix::process::{Signal, kill_process_group};
use tokio::{
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

use crate::process;

/// For a text.
const LIMIT: Duration = Duration::from_secs(90);
/// For the end of a keeper.
const END_LIMIT: Duration = Duration::from_mins(8);
const POLL: Duration = Duration::from_millis(50);

/// A keeper that runs.
pub(crate) struct Keeper {
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
}

/// A keeper that has ended.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) code: Option<i32>,
    pub(crate) signal: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Keeper {
    /// Starts it as a job of its own, as a shell does; `name` names its outputs in the folder.
    pub(crate) fn start(mut command: Command, folder: &Path, name: &str) -> Result<Self> {
        let output = |kind: &str| folder.join(format!("{name}.{kind}"));
        let (stdout, stderr) = (output("stdout"), output("stderr"));
        let child = command
            .stdin(Stdio::null())
            .stdout(File::create(&stdout)?)
            .stderr(File::create(&stderr)?)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        Ok(Self {
            child,
            stdout,
            stderr,
        })
    }

    /// Waits until its story has this text.
    pub(crate) async fn wait_for(&self, text: &str) -> Result<()> {
        wait_for_text(&self.stderr, text).await
    }

    /// Waits until its data has this text.
    pub(crate) async fn wait_for_stdout(&self, text: &str) -> Result<()> {
        wait_for_text(&self.stdout, text).await
    }

    /// Signals its whole group, as a terminal does.
    pub(crate) fn signal_group(&self, signal: Signal) -> Result<()> {
        Ok(kill_process_group(process::pid(&self.child)?, signal)?)
    }

    /// Waits for its end.
    pub(crate) async fn finish(mut self) -> Result<Finished> {
        let ended = timeout(END_LIMIT, self.child.wait()).await;
        let (stdout, stderr) = (
            fs::read_to_string(&self.stdout)?,
            fs::read_to_string(&self.stderr)?,
        );
        let Ok(status) = ended else {
            bail!("keeper does not end:\n{stderr}");
        };
        let status = status?;
        Ok(Finished {
            code: status.code(),
            signal: status.signal(),
            stdout,
            stderr,
        })
    }
}

/// Waits until a growing file has this text.
pub(crate) async fn wait_for_text(path: &Path, text: &str) -> Result<()> {
    let deadline = Instant::now() + LIMIT;
    loop {
        let all = fs::read_to_string(path).unwrap_or_default();
        if all.contains(text) {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "`{text}` did not come:\n{all}");
        sleep(POLL).await;
    }
}
