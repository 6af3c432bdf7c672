//! A hive beside a Hub that is silent or slow, and the clients that are let loose on it.

use std::{fs, path::Path, process::Stdio};

use anyhow::{Context, Result, ensure};
use fake_hub::{Content, FakeHub, Fault, Repository, Requests, Route};
use hive_api::{JobId, ModelDownload, Operation, Priority, SubmitJob};
use hive_client::{Endpoint, HiveClient, IdempotencyKey};
use serde::de::DeserializeOwned;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    process::Command,
};
use uuid::Uuid;

use crate::bench::hive::Hive;

pub(super) const MODEL: &str = "acme/Bench-GGUF";
const LISTEN: [&str; 2] = ["--listen", "127.0.0.1:0"];
const FILE: &str = "Bench-Q4_K_M.gguf";
/// Jobs that run at once where nothing else is said.
pub(super) const SLOTS: u32 = 4;

/// A hive of its own beside a fake Hub.
pub(super) struct Scene {
    hub: FakeHub,
    pub(super) hive: Hive,
    client: HiveClient,
    url: String,
    token: String,
    _folder: TempDir,
}

impl Scene {
    /// The Hub's API never answers.
    pub(super) async fn silent(hive: &Path) -> Result<Self> {
        let hub = FakeHub::builder()
            .repository(repository(MODEL))
            .start()
            .await;
        hub.on(Requests::to(Route::Info)).answer(Fault::Hold);
        Self::start(hive, hub).await
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
        Self::start(hive, hub).await
    }

    async fn start(program: &Path, hub: FakeHub) -> Result<Self> {
        let folder = TempDir::with_prefix("bench-")?;
        let hive = Hive::start(program, &LISTEN, hub.endpoint(), folder.path()).await?;
        let client = HiveClient::connect(&Endpoint::UnixSocket(hive.socket.clone()))?;
        let addresses = client.hive().await?.listen;
        let address = addresses.first().context("it listens on TCP")?;
        let token = fs::read_to_string(folder.path().join("state/token"))?;
        Ok(Self {
            url: format!("http://{address}"),
            token: token.trim().to_owned(),
            hub,
            hive,
            client,
            _folder: folder,
        })
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
            .args(["--url", &self.url])
            .env("TOKEN", &self.token)
            .arg(what)
            .args(arguments)
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .output()
            .await?;
        ensure!(
            output.status.success(),
            "load {what} ended with {}",
            output.status
        );
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// Writes since the hive's start, from its metrics.
    pub(super) async fn database_writes(&self) -> Result<u64> {
        let mut connection = UnixStream::connect(&self.hive.socket).await?;
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
