//! One fault in front of the real programs: a fake Hub, a hive in surroundings of the row's making, and keeper.

use std::{
    ffi::OsString,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use fake_hub::{Content, FakeHub, Repository};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    net::UnixStream,
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

use crate::programs::Programs;

pub(super) const MODEL: &str = "acme/Tiny-GGUF";
pub(super) const FILE: &str = "Tiny-Q4_K_M.gguf";
/// Small enough to come in one request.
pub(super) const FILE_BYTES: u64 = 8_000_000;
/// Enough for a record, which is written every few mebibytes.
pub(super) const SOME_BYTES: u64 = 5_000_000;

/// Longer than anything here takes.
pub(super) const LIMIT: Duration = Duration::from_secs(90);
const POLL: Duration = Duration::from_millis(20);

/// The folders, and where the Hub is.
pub(super) struct Scene<'a> {
    pub(super) folder: TempDir,
    pub(super) endpoint: String,
    programs: &'a Programs,
}

/// A hive that runs, with what it was started under. It is killed if this is dropped.
pub(super) struct Hive {
    process: Child,
    pub(super) state: PathBuf,
}

/// How a download ended.
pub(super) struct End {
    pub(super) state: String,
    pub(super) code: Option<String>,
    pub(super) bytes_kept: u64,
    pub(super) job: Value,
}

/// A Hub with one model.
pub(super) async fn hub() -> FakeHub {
    FakeHub::builder().repository(repository()).start().await
}

pub(super) fn repository() -> Repository {
    Repository::model(MODEL).large_file(FILE, Content::gguf("Tiny", FILE_BYTES))
}

impl<'a> Scene<'a> {
    pub(super) fn new(programs: &'a Programs, endpoint: &str) -> Result<Self> {
        Ok(Self {
            folder: TempDir::with_prefix("faults-")?,
            endpoint: endpoint.to_owned(),
            programs,
        })
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn store(&self) -> PathBuf {
        self.path("store")
    }

    /// Where the model's file is received.
    pub(super) fn partial(&self) -> Result<PathBuf> {
        Ok(self.blobs().join(format!("{}.hive-partial", etag()?)))
    }

    /// What every client of the Hub locks before it receives the model's file.
    pub(super) fn lock(&self) -> Result<PathBuf> {
        let folder = self.store().join(".locks/models--acme--Tiny-GGUF");
        Ok(folder.join(format!("{}.lock", etag()?)))
    }

    /// The model's file once it is verified.
    pub(super) fn blob(&self) -> Result<PathBuf> {
        Ok(self.blobs().join(etag()?))
    }

    /// The folder of the model's repository.
    pub(super) fn repository(&self) -> PathBuf {
        self.store().join("models--acme--Tiny-GGUF")
    }

    fn blobs(&self) -> PathBuf {
        self.repository().join("blobs")
    }

    /// Starts a hive whose state is in `state`, under a program that runs another, such as `strace -f`.
    pub(super) async fn hive(&self, state: &str, under: &[OsString]) -> Result<Hive> {
        let state = self.path(state);
        let mut words = under.to_vec();
        words.push(self.programs.hive().into_os_string());
        let (program, arguments) = words.split_first().context("there is a program")?;
        let log = File::create(state.with_extension("log"))?;
        let process = self
            .surround(Command::new(program), &state)
            .args(arguments)
            .arg("serve")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{words:?} did not start"))?;
        let mut hive = Hive { process, state };
        let socket = hive.state.join("hive.sock");
        let deadline = Instant::now() + LIMIT;
        while UnixStream::connect(&socket).await.is_err() {
            if hive.process.try_wait()?.is_some() || Instant::now() > deadline {
                bail!("the hive does not serve:\n{}", self.log());
            }
            sleep(POLL).await;
        }
        Ok(hive)
    }

    /// What `hive doctor` finds where no hive runs, each finding by its check.
    pub(super) async fn findings(&self, under: &[OsString]) -> Result<Vec<Value>> {
        let mut words = under.to_vec();
        words.push(self.programs.hive().into_os_string());
        let (program, arguments) = words.split_first().context("there is a program")?;
        let mut doctor = self.surround(Command::new(program), &self.path("state"));
        doctor
            .args(arguments)
            .args(["doctor", "--format", "json"])
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let ended = timeout(LIMIT, doctor.output()).await;
        let ended = ended.context("`hive doctor` hangs")??;
        let stdout = String::from_utf8(ended.stdout)?;
        stdout
            .lines()
            .map(|line| Ok(serde_json::from_str(line)?))
            .collect()
    }

    /// All that the hives have said.
    pub(super) fn log(&self) -> String {
        let logs = ["state", "one", "other"].map(|state| self.path(state).with_extension("log"));
        let said = logs.iter().filter_map(|log| fs::read_to_string(log).ok());
        said.collect()
    }

    /// Runs keeper against this hive to its end.
    pub(super) async fn keeper(&self, hive: &Hive, arguments: &[&str]) -> Result<Output> {
        let mut keeper = self.surround(Command::new(self.programs.keeper()), &hive.state);
        keeper
            .args(["--format", "json"])
            .args(arguments)
            .env("KEEPER_NO_AUTOSTART", "1")
            .env("KEEPER_CONFIG_DIR", self.path("keeper"))
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let ended = timeout(LIMIT, keeper.output()).await;
        let ended =
            ended.with_context(|| format!("`keeper {arguments:?}` hangs:\n{}", self.log()))?;
        Ok(ended?)
    }

    /// Downloads the model and says how that ended.
    pub(super) async fn download(&self, hive: &Hive) -> Result<End> {
        let output = self.keeper(hive, &["model", "download", MODEL]).await?;
        let stdout = String::from_utf8(output.stdout)?;
        let last = stdout.lines().last();
        let last = last.with_context(|| {
            format!(
                "keeper says nothing: {}\n{}",
                String::from_utf8_lossy(&output.stderr),
                self.log()
            )
        })?;
        let job: Value = serde_json::from_str(last)?;
        Ok(End {
            state: job["state"].as_str().unwrap_or_default().to_owned(),
            code: job["error"]["code"].as_str().map(str::to_owned),
            bytes_kept: job["partial_bytes_kept"].as_u64().unwrap_or_default(),
            job,
        })
    }

    /// Waits until something is so.
    pub(super) async fn wait_until(&self, what: &str, is_so: impl Fn() -> bool) -> Result<()> {
        let deadline = Instant::now() + LIMIT;
        while !is_so() {
            ensure!(
                Instant::now() < deadline,
                "{what} has not come:\n{}",
                self.log()
            );
            sleep(POLL).await;
        }
        Ok(())
    }

    pub(super) async fn stop(&self, mut hive: Hive) -> Result<()> {
        let stopped = self.keeper(&hive, &["hive", "stop"]).await?;
        ensure!(
            stopped.status.success(),
            "the hive does not stop: {stopped:?}"
        );
        timeout(LIMIT, hive.process.wait()).await??;
        Ok(())
    }

    fn surround(&self, mut command: Command, state: &Path) -> Command {
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .env("HIVE_STATE_DIR", state)
            .env("HF_HUB_CACHE", self.store())
            .env("HF_ENDPOINT", &self.endpoint);
        command
    }
}

impl End {
    /// Whether it is a failure of this code.
    pub(super) fn expect_code(&self, code: &str) -> Result<()> {
        ensure!(
            self.state == "failed" && self.code.as_deref() == Some(code),
            "expected `{code}`, the job is {}",
            self.job
        );
        Ok(())
    }

    pub(super) fn expect_success(&self) -> Result<()> {
        ensure!(self.state == "succeeded", "the job is {}", self.job);
        Ok(())
    }
}

/// Whether a file is the model's, byte by byte.
pub(super) fn expect_right(path: &Path) -> Result<()> {
    let repository = repository();
    let content = repository.content(FILE).context("the model has a file")?;
    let found = fs::read(path).with_context(|| path.display().to_string())?;
    ensure!(found == content.to_vec(), "{} is wrong", path.display());
    Ok(())
}

/// `strace` that makes one kind of system call on one file fail, and lets everything else be.
pub(super) fn injecting(path: &Path, injection: &str) -> Vec<OsString> {
    let call = injection.split(':').next().unwrap_or_default();
    let words = ["strace", "-f", "-qq", "-o", "/dev/null", "-P"];
    let mut words: Vec<OsString> = words.map(OsString::from).into();
    words.push(path.into());
    words.extend([
        OsString::from("-e"),
        format!("trace={call}").into(),
        "-e".into(),
        format!("inject={injection}").into(),
    ]);
    words
}

fn etag() -> Result<String> {
    let repository = repository();
    let etag = repository.etag(FILE).context("the model has a file")?;
    Ok(etag.to_owned())
}
