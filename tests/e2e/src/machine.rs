//! One person's machine: a home folder, an environment of nothing but what a login has, both programs.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io::{Seek, Write},
    path::{Path, PathBuf},
    process::Stdio,
    sync::OnceLock,
};

use anyhow::{Context, Result, ensure};
use rustix::{
    fs::{FlockOperation, flock},
    process::{Pid, Signal, kill_process},
};
use tempfile::TempDir;
use tokio::process::Command;

use crate::{Finished, Running};

/// A machine of one person; what runs on it ends with it.
pub struct Machine {
    home: TempDir,
    hub_endpoint: String,
}

impl Machine {
    /// A machine whose programs know this Hub.
    pub fn new(hub_endpoint: impl Into<String>) -> Result<Self> {
        Ok(Self {
            home: TempDir::with_prefix("e2e-")?,
            hub_endpoint: hub_endpoint.into(),
        })
    }

    /// The home folder.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// The store: the Hub's cache folder.
    pub fn store(&self) -> PathBuf {
        self.home().join(".cache/huggingface/hub")
    }

    /// The folder of the hive's socket, token and database.
    pub fn state(&self) -> PathBuf {
        self.home().join("state")
    }

    /// `keeper` with these arguments, not started yet.
    pub fn keeper<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        self.program("keeper", arguments)
    }

    /// `hive` with these arguments, not started yet.
    pub fn hive<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        self.program("hive", arguments)
    }

    /// Runs `keeper` to its end.
    pub async fn run_keeper(&self, arguments: &[&str]) -> Result<Finished> {
        Running::start(&mut self.keeper(arguments))?.finish().await
    }

    /// Runs `keeper` to its end with this text on its standard input.
    pub async fn run_keeper_with_input(&self, arguments: &[&str], input: &str) -> Result<Finished> {
        let mut file = tempfile::tempfile()?;
        file.write_all(input.as_bytes())?;
        file.rewind()?;
        Running::start_with(&mut self.keeper(arguments), file.into())?
            .finish()
            .await
    }

    /// Starts `hive serve` with these arguments and returns when it serves.
    pub async fn start_hive(&self, arguments: &[&str]) -> Result<Running> {
        let mut command = self.hive(["serve"]);
        let mut hive = Running::start(command.args(arguments))?;
        hive.wait_for_stderr("serving").await?;
        Ok(hive)
    }

    /// Ends the running hive by SIGKILL, so that it can do nothing about it, and returns when it is gone.
    pub fn kill_hive(&self) -> Result<()> {
        let pid = fs::read_to_string(self.state().join("hive.lock"))?;
        let pid = Pid::from_raw(pid.trim().parse()?).context("a hive's process id")?;
        kill_process(pid, Signal::KILL)?;
        // Its lock is given back when it is gone, and not before.
        let lock = File::open(self.state().join("hive.lock"))?;
        Ok(flock(&lock, FlockOperation::LockShared)?)
    }

    /// Any program on this machine, with its environment.
    pub fn program<S: AsRef<OsStr>>(
        &self,
        name: &str,
        arguments: impl IntoIterator<Item = S>,
    ) -> Command {
        let programs = programs();
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new(if matches!(name, "hive" | "keeper") {
            programs.join(name)
        } else {
            PathBuf::from(name)
        });
        command
            .args(arguments)
            .env_clear()
            .env("HOME", self.home())
            .env("HIVE_STATE_DIR", self.state())
            .env("HF_ENDPOINT", &self.hub_endpoint)
            .env("PATH", format!("{}:{path}", programs.display()))
            .env("TZ", "UTC")
            .current_dir(self.home());
        command
    }
}

impl Drop for Machine {
    /// Stops the hive, so that nothing of the test runs on; a hive that does not stop fails the test.
    fn drop(&mut self) {
        let stopped = std::process::Command::new(programs().join("keeper"))
            .args(["hive", "stop"])
            .env_clear()
            .env("HOME", self.home())
            .env("HIVE_STATE_DIR", self.state())
            .stdin(Stdio::null())
            .output();
        if !std::thread::panicking() {
            let output = stopped.expect("keeper is built");
            assert!(output.status.success(), "`keeper hive stop`: {output:?}");
        }
    }
}

/// The folder of both programs, built as these tests are.
fn programs() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| build_programs().expect("hive and keeper build"))
}

fn build_programs() -> Result<PathBuf> {
    let status = std::process::Command::new(env!("CARGO"))
        .args([
            "build",
            "--quiet",
            "--offline",
            "--package",
            "hive",
            "--package",
            "keeper",
            "--bins",
        ])
        .status()
        .context("cargo did not start")?;
    ensure!(status.success(), "cargo build ended with {status}");
    let test = std::env::current_exe()?;
    let profile = test
        .ancestors()
        .nth(2)
        .context("a test runs in <target>/<profile>/deps")?;
    Ok(profile.to_owned())
}
