//! A program as a process: what it printed, what was sent to it, how it ended.

use std::{fmt, process::Stdio, time::Duration};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::{Child, Command},
    sync::watch,
    task::JoinSet,
    time::timeout,
};

/// No program of ours takes longer for what these tests ask of it.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// A program that runs, in a process group of its own.
pub struct Running {
    child: Child,
    stdout: watch::Receiver<String>,
    stderr: watch::Receiver<String>,
    readers: JoinSet<()>,
}

impl Running {
    /// Starts it with both outputs collected and nothing on its standard input.
    pub fn start(command: &mut Command) -> Result<Self> {
        Self::start_with(command, Stdio::null())
    }

    /// The same with this as its standard input.
    pub fn start_with(command: &mut Command, stdin: Stdio) -> Result<Self> {
        let mut child = command
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{command:?} did not start"))?;
        let mut readers = JoinSet::new();
        let stdout = collect(child.stdout.take(), &mut readers);
        let stderr = collect(child.stderr.take(), &mut readers);
        Ok(Self {
            child,
            stdout,
            stderr,
            readers,
        })
    }

    /// Waits until its standard error holds this text.
    pub async fn wait_for_stderr(&mut self, text: &str) -> Result<()> {
        wait_for(&mut self.stderr, text).await
    }

    /// Waits until its standard output holds this text.
    pub async fn wait_for_stdout(&mut self, text: &str) -> Result<()> {
        wait_for(&mut self.stdout, text).await
    }

    /// Its process id.
    pub fn pid(&self) -> Result<Pid> {
        pid_of(&self.child)
    }

    /// Sends a signal to the process alone.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        signal_to(&self.child, signal)
    }

    /// Sends a signal to its whole group, as a terminal does on Ctrl+C.
    pub fn signal_group(&self, signal: Signal) -> Result<()> {
        Ok(kill_process_group(self.pid()?, signal)?)
    }

    /// Waits until it has ended and both its outputs are closed.
    pub async fn finish(mut self) -> Result<Finished> {
        let Some(end) = end(&mut self.child, &mut self.readers).await? else {
            bail!(
                "not ended after {DEADLINE:?}; so far:\n{}\n{}",
                *self.stdout.borrow(),
                *self.stderr.borrow()
            );
        };
        Ok(Finished {
            end,
            stdout: self.stdout.borrow().clone(),
            stderr: self.stderr.borrow().clone(),
        })
    }
}

fn pid_of(child: &Child) -> Result<Pid> {
    child
        .id()
        .and_then(|id| i32::try_from(id).ok())
        .and_then(Pid::from_raw)
        .context("the process has already ended")
}

/// Sends a signal to this process alone.
pub(crate) fn signal_to(child: &Child, signal: Signal) -> Result<()> {
    Ok(kill_process(pid_of(child)?, signal)?)
}

/// Waits until a program has ended and nothing more comes from it; `None` after [`DEADLINE`].
pub(crate) async fn end(child: &mut Child, readers: &mut JoinSet<()>) -> Result<Option<End>> {
    let ended = timeout(DEADLINE, async {
        let status = child.wait().await;
        while readers.join_next().await.is_some() {}
        status
    });
    let Ok(status) = ended.await else {
        return Ok(None);
    };
    Ok(Some(End::of(status.context("waiting for the process")?)))
}

/// Reads an output to its end, showing all that came so far.
pub(crate) fn collect(
    output: Option<impl AsyncRead + Unpin + Send + 'static>,
    readers: &mut JoinSet<()>,
) -> watch::Receiver<String> {
    let (sender, receiver) = watch::channel(String::new());
    readers.spawn(async move {
        let Some(mut output) = output else { return };
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = output.read(&mut buffer).await {
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            sender.send_modify(|all| all.push_str(&text));
        }
    });
    receiver
}

pub(crate) async fn wait_for(output: &mut watch::Receiver<String>, text: &str) -> Result<()> {
    wait_for_one_of(output, &[text]).await
}

pub(crate) async fn wait_for_one_of(
    output: &mut watch::Receiver<String>,
    texts: &[&str],
) -> Result<()> {
    let has_one = |all: &String| texts.iter().any(|text| all.contains(text));
    let seen = timeout(DEADLINE, output.wait_for(has_one)).await;
    let trouble = match seen.map(|seen| seen.is_ok()) {
        Ok(true) => return Ok(()),
        Ok(false) => "the output ended without it",
        Err(_) => "it did not come in time",
    };
    let texts = texts.join("` or `");
    bail!("waiting for `{texts}`, {trouble}:\n{}", *output.borrow())
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// By itself, with this code.
    Exit(i32),
    /// By this signal.
    Signal(i32),
}

impl End {
    pub(crate) fn of(status: std::process::ExitStatus) -> Self {
        use std::os::unix::process::ExitStatusExt;
        status.code().map_or_else(
            || Self::Signal(status.signal().unwrap_or_default()),
            Self::Exit,
        )
    }
}

/// A program that has ended. Its `Display` is the transcript that a snapshot keeps.
#[derive(Clone, Debug)]
pub struct Finished {
    /// How it ended.
    pub end: End,
    /// All it wrote to standard output.
    pub stdout: String,
    /// All it wrote to standard error.
    pub stderr: String,
}

impl fmt::Display for Finished {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.end {
            End::Exit(code) => writeln!(formatter, "exit {code}")?,
            End::Signal(signal) => writeln!(formatter, "signal {signal}")?,
        }
        write!(
            formatter,
            "--- stdout\n{}--- stderr\n{}",
            self.stdout, self.stderr
        )
    }
}
