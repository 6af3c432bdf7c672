//! A hive beside a Hub that is silent or slow, and the clients that are let loose on it.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use fake_hub::{Content, FakeHub, Fault, Repository, Requests, Route};
use hive_api::{JobId, ModelDownload, Operation, Priority, SubmitJob};
use hive_client::{Endpoint, HiveClient, IdempotencyKey};
use serde::de::DeserializeOwned;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    process::Command,
};
use uuid::Uuid;

use crate::listening_hive::ListeningHive;

pub(super) const MODEL: &str = "acme/Bench-GGUF";
/// A port that no program takes (tcpmux).
pub(super) const NOBODY: &str = "http://127.0.0.1:1";
const FILE: &str = "Bench-Q4_K_M.gguf";
/// Jobs that run at once where nothing else is said.
pub(super) const SLOTS: u32 = 4;

/// A hive of its own beside a fake Hub.
pub(super) struct Scene {
    hub: FakeHub,
    pub(super) hive: ListeningHive,
    client: HiveClient,
}

impl Scene {
    /// The Hub's API never answers.
    pub(super) async fn silent(hive: &Path) -> Result<Self> {
        let hub = FakeHub::builder()
            .repository(repository(MODEL))
            .start()
            .await;
        hub.on(Requests::to(Route::Info)).answer(Fault::Hold);
        let endpoint = hub.endpoint().to_owned();
        Self::start(hive, &[], &endpoint, hub).await
    }

    /// Nobody is where the Hub should be, so that a job waits and says little.
    pub(super) async fn without_hub(hive: &Path, arguments: &[&str]) -> Result<Self> {
        let hub = FakeHub::builder().start().await;
        Self::start(hive, arguments, NOBODY, hub).await
    }

    /// The CDN sends a little, for as long as anyone likes.
    pub(super) async fn dripping(hive: &Path) -> Result<Self> {
        let mut builder = FakeHub::builder();
        for number in 0..SLOTS {
            builder = builder.repository(repository(&numbered(number)));
        }
        let hub = builder.start().await;
        hub.on(Requests::cdn()).answer(Fault::Drip {
            bytes_per_second: 200_000,
        });
        let endpoint = hub.endpoint().to_owned();
        Self::start(hive, &[], &endpoint, hub).await
    }

    async fn start(
        program: &Path,
        arguments: &[&str],
        endpoint: &str,
        hub: FakeHub,
    ) -> Result<Self> {
        let hive = ListeningHive::start(program, arguments, endpoint).await?;
        let client = HiveClient::connect(&Endpoint::UnixSocket(hive.socket().to_owned()))?;
        Ok(Self { hub, hive, client })
    }

    pub(super) async fn submit(&self, model: &str) -> Result<JobId> {
        let request = SubmitJob {
            operation: Operation::ModelDownload(ModelDownload {
                model: model.to_owned(),
                ..ModelDownload::default()
            }),
            priority: Priority::Normal,
            limit_bytes_per_second: None,
        };
        let key = IdempotencyKey::new(Uuid::new_v4());
        Ok(self.client.submit(&request, key).await?.job_id)
    }

    /// Runs clients and reads their figures.
    pub(super) async fn load<Printed: DeserializeOwned>(
        &self,
        program: &Path,
        what: &str,
        arguments: &[String],
    ) -> Result<Printed> {
        let output = Command::new(program)
            .args(["--url", &format!("http://{}", self.hive.address())])
            .env("TOKEN", self.hive.token())
            .arg(what)
            .args(arguments)
            .kill_on_drop(true)
            .output()
            .await?;
        ensure!(
            output.status.success(),
            "load {what} ended with {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// Writes since the hive's start, from its metrics.
    pub(super) async fn database_writes(&self) -> Result<u64> {
        let mut connection = UnixStream::connect(self.hive.socket()).await?;
        connection
            .write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .await?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await?;
        let count = answer
            .lines()
            .find_map(|line| line.strip_prefix("hive_database_write_seconds_count "));
        Ok(count
            .context("the metrics count the writes")?
            .trim()
            .parse()?)
    }

    pub(super) async fn stop(self) -> Result<()> {
        self.hive.stop().await?;
        self.hub.assert_no_token_leak();
        Ok(())
    }
}

fn repository(id: &str) -> Repository {
    let content = Content::gguf(id, 1_000_000_000);
    Repository::model(id).large_file(FILE, content)
}

pub(super) fn numbered(number: u32) -> String {
    format!("acme/Bench-{number}-GGUF")
}
