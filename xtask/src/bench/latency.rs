//! `bench latency`: how soon a word comes after a POST, and how soon everything stops after a DELETE or Ctrl+C.

use std::{
    os::unix::process::ExitStatusExt,
    path::PathBuf,
    process::{ExitCode, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use fake_hub::{Content, FakeHub, Fault, Repository, Requests, Route, Script};
use futures_util::StreamExt;
use hive_api::{Event, Job, ModelDownload, Operation, Phase, Priority, SubmitJob};
use hive_client::{CancelJob, Endpoint, Followed, HiveClient, IdempotencyKey};
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    process::{Child, Command},
    time::Instant,
};
use uuid::Uuid;

use super::{
    figures::{Figures, HEADER},
    report,
};
use crate::programs::{Profile, Programs};

const MODEL: &str = "acme/Bench-GGUF";
const FILE: &str = "Bench-Q4_K_M.gguf";
const LIMIT: Duration = Duration::from_secs(20);

/// Measures against a fake Hub and writes the section "Latency".
pub(crate) async fn run(runs: u32) -> Result<ExitCode> {
    let bench = Bench::start().await?;
    let measured = bench.measure(runs).await;
    bench.stop().await?;
    let rows: Vec<String> = measured?.iter().map(Figures::row).collect();
    let table = format!("{HEADER}\n{}", rows.join("\n"));
    eprintln!("{table}");
    report::write_section("Latency", "cargo xtask bench latency", &table)?;
    Ok(ExitCode::SUCCESS)
}

/// How soon everything stops after a DELETE, in the phases of a job.
pub(super) async fn stopping(runs: u32) -> Result<Vec<Figures>> {
    let bench = Bench::start().await?;
    let measured = bench.stopping(runs).await;
    bench.stop().await?;
    measured
}

/// A fake Hub whose CDN drips, and a hive that fetches from it.
struct Bench {
    hub: FakeHub,
    environment: Environment,
    programs: Programs,
    client: HiveClient,
    _home: tempfile::TempDir,
}

impl Bench {
    async fn start() -> Result<Self> {
        let programs = Programs::build(Profile::Release)?;
        let content = Content::gguf("Bench", 1_000_000_000);
        let hub = FakeHub::builder()
            .repository(Repository::model(MODEL).large_file(FILE, content))
            .start()
            .await;
        hub.on(Requests::cdn()).answer(Fault::Drip {
            bytes_per_second: 20_000_000,
        });
        let home = tempfile::TempDir::with_prefix("bench-")?;
        let environment = Environment {
            home: home.path().to_owned(),
            hub_endpoint: hub.endpoint().to_string(),
        };
        let started = environment
            .keeper(&programs, &["hive", "start"])
            .status()
            .await?;
        ensure!(
            started.success(),
            "`keeper hive start` ended with {started}"
        );
        let socket = home.path().join("state/hive.sock");
        let client = HiveClient::connect(&Endpoint::UnixSocket(socket))?;
        Ok(Self {
            hub,
            environment,
            programs,
            client,
            _home: home,
        })
    }

    async fn measure(&self, runs: u32) -> Result<Vec<Figures>> {
        let mut figures = Vec::from(self.with_a_silent_hub(runs).await?);
        figures.extend(self.while_receiving(runs).await?);
        figures.push(self.interrupting_keeper(runs.div_ceil(5)).await?);
        Ok(figures)
    }

    async fn stopping(&self, runs: u32) -> Result<Vec<Figures>> {
        let mut figures = self.while_receiving(runs).await?;
        let [.., ended] = self.with_a_silent_hub(runs).await?;
        figures.push(ended);
        figures.push(self.while_backing_off(runs).await?);
        Ok(figures)
    }

    /// With a Hub that never answers its API: a job must say so at once and stop at once.
    async fn with_a_silent_hub(&self, runs: u32) -> Result<[Figures; 3]> {
        let silent: Script = self.hub.on(Requests::to(Route::Info)).answer(Fault::Hold);
        let mut accepted = Figures::new("POST → 202, the Hub silent", 50);
        let mut first_event = Figures::new("POST → first event, the Hub silent", 100);
        let mut ended = Figures::new("DELETE → cancelled, the Hub silent", 500);
        for _ in 0..runs {
            let posted = Instant::now();
            let job = self.submit().await?;
            accepted.add(posted.elapsed());
            let mut events = self.client.follow(job.job_id);
            events
                .next()
                .await
                .context("a stream begins with a snapshot")??;
            first_event.add(posted.elapsed());
            while !is_in_phase(&self.client.job(job.job_id).await?, Phase::Resolving) {
                events.next().await.context("the job goes on")??;
            }
            let deleted = Instant::now();
            self.client.cancel(job.job_id, CancelJob::default()).await?;
            wait_for_last_event(events).await?;
            ended.add(deleted.elapsed());
        }
        silent.release();
        Ok([accepted, first_event, ended])
    }

    /// In the middle of a body.
    async fn while_receiving(&self, runs: u32) -> Result<Vec<Figures>> {
        let mut answered = Figures::new("DELETE → 200, receiving", 100);
        let mut closed = Figures::new("DELETE → CDN connection closed, receiving", 250);
        let mut ended = Figures::new("DELETE → cancelled, receiving", 500);
        for _ in 0..runs {
            let sent_before = self.hub.cdn().bytes_sent(FILE);
            let job = self.submit().await?;
            let events = self.client.follow(job.job_id);
            self.hub
                .cdn()
                .wait_for_bytes_sent(FILE, sent_before + 1_000_000, LIMIT)
                .await?;
            let deleted = Instant::now();
            self.client.cancel(job.job_id, CancelJob::default()).await?;
            answered.add(deleted.elapsed());
            self.hub
                .cdn()
                .wait_for_all_connections_closed(LIMIT)
                .await?;
            closed.add(deleted.elapsed());
            wait_for_last_event(events).await?;
            ended.add(deleted.elapsed());
        }
        Ok(vec![answered, closed, ended])
    }

    /// While it waits to ask a CDN again that answers with an error.
    async fn while_backing_off(&self, runs: u32) -> Result<Figures> {
        let broken = self.hub.on(Requests::cdn()).answer(Fault::Status(503));
        let mut ended = Figures::new("DELETE → cancelled, backing off", 500);
        for _ in 0..runs {
            let job = self.submit().await?;
            let mut events = self.client.follow(job.job_id);
            while !is_of_a_retry(&events.next().await.context("the job goes on")??) {}
            let deleted = Instant::now();
            self.client.cancel(job.job_id, CancelJob::default()).await?;
            wait_for_last_event(events).await?;
            ended.add(deleted.elapsed());
        }
        broken.release();
        Ok(ended)
    }

    /// From Ctrl+C to the end of keeper's process.
    async fn interrupting_keeper(&self, runs: u32) -> Result<Figures> {
        let mut gone = Figures::new("Ctrl+C → keeper has ended by SIGINT, receiving", 1000);
        for _ in 0..runs {
            let sent_before = self.hub.cdn().bytes_sent(FILE);
            let mut keeper = self
                .environment
                .keeper(&self.programs, &["model", "download", MODEL])
                .spawn()?;
            self.hub
                .cdn()
                .wait_for_bytes_sent(FILE, sent_before + 1_000_000, LIMIT)
                .await?;
            let pressed = Instant::now();
            interrupt(&keeper)?;
            let status = keeper.wait().await?;
            gone.add(pressed.elapsed());
            ensure!(status.signal() == Some(2), "keeper ended with {status}");
        }
        Ok(gone)
    }

    async fn submit(&self) -> Result<Job> {
        let download = ModelDownload {
            model: MODEL.to_owned(),
            ..ModelDownload::default()
        };
        let request = SubmitJob {
            operation: Operation::ModelDownload(download),
            priority: Priority::Normal,
            limit_bytes_per_second: None,
        };
        Ok(self
            .client
            .submit(&request, IdempotencyKey::new(Uuid::new_v4()))
            .await?)
    }

    async fn stop(self) -> Result<()> {
        let stopped = self
            .environment
            .keeper(&self.programs, &["hive", "stop"])
            .status()
            .await?;
        ensure!(stopped.success(), "`keeper hive stop` ended with {stopped}");
        self.hub.assert_no_token_leak();
        Ok(())
    }
}

/// What the programs see: folders of this run alone, and the fake Hub.
struct Environment {
    home: PathBuf,
    hub_endpoint: String,
}

impl Environment {
    fn keeper(&self, programs: &Programs, arguments: &[&str]) -> Command {
        let mut command = Command::new(programs.keeper());
        command
            .args(arguments)
            .env_clear()
            .env("HOME", &self.home)
            .env("HIVE_STATE_DIR", self.home.join("state"))
            .env("HF_ENDPOINT", &self.hub_endpoint)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }
}

fn is_in_phase(job: &Job, phase: Phase) -> bool {
    job.phase.as_ref().and_then(|known| known.known()) == Some(&phase)
}

fn is_of_a_retry(followed: &Followed) -> bool {
    matches!(followed, Followed::Event { event: Event::Log(log), .. } if log.try_number.is_some())
}

async fn wait_for_last_event(mut events: hive_client::FollowedStream) -> Result<()> {
    while let Some(item) = events.next().await {
        if let Followed::Event { event, .. } = item?
            && event.last().is_some()
        {
            return Ok(());
        }
    }
    anyhow::bail!("the stream ended without a last event")
}

fn interrupt(child: &Child) -> Result<()> {
    let pid = child
        .id()
        .and_then(|id| i32::try_from(id).ok())
        .and_then(Pid::from_raw);
    Ok(kill_process(pid.context("it runs")?, Signal::INT)?)
}
