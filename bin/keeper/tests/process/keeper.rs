//! The real keeper as a process: what it says, what it is sent, how it ends.

use std::{
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines},
    process::{Child, ChildStderr, Command},
    time::timeout,
};

use crate::played_hive::PlayedHive;

/// Nothing here takes longer.
const DEADLINE: Duration = Duration::from_secs(20);

pub(crate) struct Keeper {
    child: Child,
    stderr: Lines<BufReader<ChildStderr>>,
    _config: tempfile::TempDir,
}

impl Keeper {
    pub(crate) fn start(hive: &PlayedHive, arguments: &[&str]) -> Self {
        Self::at(hive.address(), arguments)
    }

    /// With this hive in its environment.
    pub(crate) fn at(hive: &str, arguments: &[&str]) -> Self {
        Self::of(hive, arguments, &[])
    }

    /// With this hive and these variables in its environment.
    pub(crate) fn of(hive: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        Self::writing_to(Stdio::piped(), hive, arguments, variables)
    }

    /// With this stdout.
    pub(crate) fn writing_to(
        stdout: Stdio,
        hive: &str,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Self {
        let config = tempfile::tempdir().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_keeper"))
            .args(arguments)
            .env_clear()
            .env("KEEPER_HIVE", hive)
            .env("KEEPER_TOKEN", "t")
            .envs(variables.iter().copied())
            .env("KEEPER_CONFIG_DIR", config.path())
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap()).lines();
        Self {
            child,
            stderr,
            _config: config,
        }
    }

    /// Waits for a line with this in it.
    pub(crate) async fn says(&mut self, part: &str) {
        let found = async {
            let mut told = Vec::new();
            while let Some(line) = self.stderr.next_line().await.unwrap() {
                if line.contains(part) {
                    return;
                }
                told.push(line);
            }
            panic!("keeper ended without saying {part:?}; it said {told:#?}");
        };
        timeout(DEADLINE, found).await.unwrap();
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id().unwrap()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }

    pub(crate) async fn ended(mut self) -> ExitStatus {
        timeout(DEADLINE, self.child.wait()).await.unwrap().unwrap()
    }

    /// All of its stdout.
    pub(crate) async fn stdout(&mut self) -> String {
        let mut text = String::new();
        let mut stdout = self.child.stdout.take().unwrap();
        let read = stdout.read_to_string(&mut text);
        timeout(DEADLINE, read).await.unwrap().unwrap();
        text
    }

    /// Its stdout up to the line with this in it.
    pub(crate) async fn stdout_until(&mut self, part: &str) -> String {
        let mut lines = BufReader::new(self.child.stdout.take().unwrap()).lines();
        let found = async {
            let mut text = String::new();
            while let Some(line) = lines.next_line().await.unwrap() {
                text.push_str(&line);
                text.push('\n');
                if line.contains(part) {
                    return text;
                }
            }
            panic!("keeper ended without {part:?}: {text}");
        };
        timeout(DEADLINE, found).await.unwrap()
    }

    /// All of both streams, to their ends.
    pub(crate) async fn output(mut self) -> (String, String) {
        let stdout = self.stdout().await;
        let mut stderr = String::new();
        while let Some(line) = self.stderr.next_line().await.unwrap() {
            stderr.push_str(&line);
            stderr.push('\n');
        }
        (stdout, stderr)
    }
}
