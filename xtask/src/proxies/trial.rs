//! One download through one proxy: submitted, followed, resumed, cancelled, and held over a restart of the hive.

use std::{fs, process::Stdio, time::Duration};

use anyhow::{Context, Result, ensure};
use fake_hub::{Content, FakeHub, Fault, Repository, Requests, Script};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{process::Command, time::timeout};

use super::{
    configuration::{Configuration, HOST},
    front::{Front, free_address},
    stream::Stream,
};
use crate::{hive::Hive, programs::Programs};

const MODEL: &str = "acme/Tiny-GGUF";
const FILE: &str = "Tiny-Q4_K_M.gguf";
/// At the rate below it goes on until it is told otherwise.
const FILE_BYTES: u64 = 60_000_000;
const SLOW: u64 = 20_000;
const LIMIT: Duration = Duration::from_mins(1);

/// A hive behind a proxy, in front of a Hub that is slow until told otherwise.
struct Scene<'a> {
    programs: &'a Programs,
    folder: TempDir,
    hub: FakeHub,
    slow: Script,
    address: String,
    hive: Hive,
    front: Front,
    token: String,
}

/// The proxy lets through all that a keeper needs.
pub(super) async fn passes_all(programs: &Programs, configuration: &Configuration) -> Result<()> {
    let mut scene = Scene::new(programs, configuration).await?;
    scene.asks_by_name().await?;
    scene
        .doctor_finds_the_stream("ok", "events come as they are sent")
        .await?;
    let job = scene.submit().await?;
    scene.follows_and_resumes(&job).await?;
    let ended = scene
        .ask(
            &["-X", "DELETE"],
            &format!("/v1/jobs/{job}?wait_seconds=10"),
        )
        .await?;
    ensure!(ended["state"] == "cancelled", "DELETE answers {ended}");
    eprintln!("Events come one by one, a stream is resumed, a job is cancelled");
    scene.keeper_outlasts_a_restart().await?;
    scene.hive.stop().await
}

/// The proxy keeps back the stream, and nothing but its silence tells.
///
/// The stream is that of a hive without work: of one that has more to say nginx passes on 16 KiB at a time.
pub(super) async fn holds_back(programs: &Programs, configuration: &Configuration) -> Result<()> {
    let scene = Scene::new(programs, configuration).await?;
    let mut behind = Stream::of(scene.curl(&[], &scene.front.url(), "/v1/events"))?;
    let direct = format!("http://{}", scene.address);
    let mut before = Stream::of(scene.curl(&[], &direct, "/v1/events"))?;
    for _ in 0..2 {
        before.next("event: heartbeat").await?;
    }
    // What comes with the head of the answer nginx passes on with it.
    let passed = behind.lines_by_now();
    ensure!(
        !passed.iter().any(|line| line == "event: heartbeat"),
        "this nginx holds nothing back: {passed:?}"
    );
    eprintln!("Two heartbeats from the hive, and nothing behind this proxy");
    scene
        .doctor_finds_the_stream("fail", "proxy_buffering off")
        .await?;
    scene.hive.stop().await
}

impl<'a> Scene<'a> {
    async fn new(programs: &'a Programs, configuration: &Configuration) -> Result<Self> {
        let repository =
            Repository::model(MODEL).large_file(FILE, Content::gguf("Tiny", FILE_BYTES));
        let hub = FakeHub::builder().repository(repository).start().await;
        let slow = hub.on(Requests::cdn()).answer(Fault::Drip {
            bytes_per_second: SLOW,
        });
        let folder = TempDir::with_prefix("proxies-")?;
        let address = free_address()?.to_string();
        let hive = start(programs, &address, &hub, &folder).await?;
        let front = Front::start(configuration, &address, folder.path()).await?;
        let token = fs::read_to_string(folder.path().join("state/token"))?;
        Ok(Self {
            programs,
            folder,
            hub,
            slow,
            address,
            hive,
            front,
            token: token.trim().to_owned(),
        })
    }

    /// The name of the page reaches the hive, which knows it; what claims to be forwarded counts for nothing.
    async fn asks_by_name(&self) -> Result<()> {
        let resolve = format!("{HOST}:{}:127.0.0.1", self.front.address.port());
        let forwarded = ["-H", "X-Forwarded-Host: evil.example", "-H"];
        let mut arguments = vec!["--resolve", &resolve];
        arguments.extend(forwarded);
        arguments.push("Forwarded: for=127.0.0.1;host=evil.example");
        let url = self.front.named_url();
        let hive = answer(self.curl(&arguments, &url, "/v1/hive")).await?;
        ensure!(hive["version"].is_string(), "the hive answers {hive}");

        let mut without_token = self.bare_curl();
        without_token
            .args(["-H", "X-Forwarded-For: 127.0.0.1"])
            .arg(format!("{}/v1/hive", self.front.url()));
        let refused = answer(without_token).await?;
        ensure!(refused["code"] == "unauthenticated", "answered {refused}");
        Ok(())
    }

    async fn submit(&self) -> Result<String> {
        let operation = json!({"operation": {"kind": "model_download", "model": MODEL}});
        let body = operation.to_string();
        let headers = ["-H", "Content-Type: application/json", "-d", &body];
        let job = self.ask(&headers, "/v1/jobs").await?;
        let id = job["job_id"].as_str();
        Ok(id.with_context(|| format!("answered {job}"))?.to_owned())
    }

    async fn follows_and_resumes(&self, job: &str) -> Result<()> {
        let path = format!("/v1/jobs/{job}/events");
        let mut stream = Stream::of(self.curl(&[], &self.front.url(), &path))?;
        stream.next("event: snapshot").await?;
        // The hive has no more to say before it says this.
        stream.next("event: heartbeat").await?;
        let last = stream.next("id:").await?;
        stream.next("event: heartbeat").await?;
        drop(stream);
        let header = format!("Last-Event-ID: {last}");
        let mut resumed = Stream::of(self.curl(&["-H", &header], &self.front.url(), &path))?;
        let first = resumed.next("id:").await?;
        ensure!(first == last, "resumed after {last} it begins with {first}");
        resumed.next("event: heartbeat").await.map(|_| ())
    }

    /// A keeper that follows its job sees the hive go and come, and the job through.
    async fn keeper_outlasts_a_restart(&mut self) -> Result<()> {
        let mut keeper = self.keeper(&["model", "download", MODEL]);
        let keeper = keeper.spawn().context("keeper did not start")?;
        self.until_it_runs().await?;
        let started = start(self.programs, &self.address, &self.hub, &self.folder);
        let Self { hive, front, .. } = self;
        hive.end().await?;
        let gone = bare_curl(front)
            .args(["--output", "/dev/null", "--write-out", "%{http_code}"])
            .arg(format!("{}/healthz", front.url()))
            .output()
            .await?;
        ensure!(
            gone.stdout == b"502",
            "without a hive the proxy says {gone:?}"
        );
        *hive = started.await?;
        self.slow.release();
        let ended = timeout(LIMIT, keeper.wait_with_output()).await;
        let ended = ended.context("keeper does not end")??;
        let story = String::from_utf8_lossy(&ended.stderr);
        ensure!(
            ended.status.success(),
            "keeper ended with {}: {story}",
            ended.status
        );
        let path = String::from_utf8(ended.stdout)?;
        ensure!(
            fs::metadata(path.trim())?.len() == FILE_BYTES,
            "{path} is not whole"
        );
        eprintln!("A keeper went on over a restart of the hive:\n{story}");
        Ok(())
    }

    /// A person who asks what is wrong is told how the stream comes through the proxy.
    async fn doctor_finds_the_stream(&self, level: &str, words: &str) -> Result<()> {
        let mut keeper = self.keeper(&["hive", "doctor", "--format", "json"]);
        let output = timeout(LIMIT, keeper.output()).await;
        let output = output.context("keeper hive doctor does not end")??;
        let stdout = String::from_utf8(output.stdout)?;
        let line = stdout.lines().find(|line| line.contains("\"stream\""));
        let line = line.with_context(|| format!("keeper finds no stream: {stdout}"))?;
        let finding: Value = serde_json::from_str(line)?;
        ensure!(
            finding["level"] == level && line.contains(words),
            "keeper finds {finding}"
        );
        eprintln!("keeper hive doctor: stream {level}");
        Ok(())
    }

    /// Returns when the one unfinished job is at work.
    async fn until_it_runs(&self) -> Result<()> {
        let mut jobs = Stream::of(self.curl(&[], &self.front.url(), "/v1/events"))?;
        while !jobs.next("data:").await?.contains("downloading") {}
        Ok(())
    }

    fn keeper(&self, arguments: &[&str]) -> Command {
        let mut keeper = Command::new(self.programs.keeper());
        keeper
            .args(["--hive", &self.front.url()])
            .args(arguments)
            .env_clear()
            .env("HOME", self.folder.path())
            .env("KEEPER_TOKEN", &self.token)
            .env("SSL_CERT_FILE", &self.front.certificate)
            .env("KEEPER_CA_FILE", &self.front.certificate)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        keeper
    }

    async fn ask(&self, arguments: &[&str], path: &str) -> Result<Value> {
        answer(self.curl(arguments, &self.front.url(), path)).await
    }

    fn curl(&self, arguments: &[&str], url: &str, path: &str) -> Command {
        let mut curl = self.bare_curl();
        curl.args(["-H", &format!("Authorization: Bearer {}", self.token)])
            .args(arguments)
            .arg(format!("{url}{path}"));
        curl
    }

    fn bare_curl(&self) -> Command {
        bare_curl(&self.front)
    }
}

fn bare_curl(front: &Front) -> Command {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--noproxy", "*", "--cacert"])
        .arg(&front.certificate);
    curl
}

async fn answer(mut curl: Command) -> Result<Value> {
    let output = timeout(LIMIT, curl.output()).await??;
    ensure!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout)
        .with_context(|| format!("answered {}", String::from_utf8_lossy(&output.stdout)))
}

async fn start(
    programs: &Programs,
    address: &str,
    hub: &FakeHub,
    folder: &TempDir,
) -> Result<Hive> {
    let arguments = ["--listen", address, "--allow-host", HOST];
    Hive::start(&programs.hive(), &arguments, hub.endpoint(), folder.path()).await
}
