//! What this hive is and works with: said in the log at its start and to whoever asks later.

use std::{net::SocketAddr, path::PathBuf};

use hive_api::{HiveInfo, RateLimit};
use jiff::Timestamp;
use job_registry::JobCounts;
use tokio::time::Instant;

use crate::operations::KINDS;

/// What does not change while a hive runs.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    /// The machine's name.
    pub(crate) machine: String,
    pub(crate) state_path: PathBuf,
    pub(crate) store_path: PathBuf,
    /// The Hub's address, without credentials.
    pub(crate) hub_endpoint: String,
    /// Where the Hub token came from.
    pub(crate) hub_token_source: Option<String>,
    /// The proxy, without credentials.
    pub(crate) proxy: Option<String>,
    pub(crate) ca_file: Option<String>,
    pub(crate) listen: Vec<SocketAddr>,
    /// The most connections of its downloads, all together.
    pub(crate) connections: u32,
    /// The most that its downloads receive, all together.
    pub(crate) rate_limit: RateLimit,
    pub(crate) started: Instant,
    pub(crate) started_at: Timestamp,
}

impl Facts {
    /// The answer to who asks.
    pub(crate) fn info(&self, counts: JobCounts, free_bytes: Option<u64>) -> HiveInfo {
        HiveInfo {
            name: self.machine.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            capabilities: KINDS.map(str::to_owned).to_vec(),
            pid: std::process::id(),
            state_path: self.state_path.display().to_string(),
            store_path: self.store_path.display().to_string(),
            free_bytes,
            hub_endpoint: self.hub_endpoint.clone(),
            hub_account: None,
            hub_token_source: self.hub_token_source.clone(),
            proxy: self.proxy.clone(),
            ca_file: self.ca_file.clone(),
            listen: self.listen.iter().map(ToString::to_string).collect(),
            connections: self.connections,
            limit_bytes_per_second: self.rate_limit.bytes_per_second(),
            running_jobs: counts.running,
            queued_jobs: counts.queued,
            uptime_seconds: self.started.elapsed().as_secs(),
        }
    }

    /// The first line of a hive's log.
    pub(crate) fn log(&self) {
        let listen: Vec<String> = self.listen.iter().map(ToString::to_string).collect();
        tracing::info!(
            hive.version = env!("CARGO_PKG_VERSION"),
            hive.pid = std::process::id(),
            hive.machine = self.machine,
            state.path = %self.state_path.display(),
            store.path = %self.store_path.display(),
            hub.endpoint = self.hub_endpoint,
            hub.token_source = self.hub_token_source.as_deref().unwrap_or("none"),
            hub.proxy = self.proxy.as_deref().unwrap_or("none"),
            hub.ca_file = self.ca_file.as_deref().unwrap_or("none"),
            downloads.connections = self.connections,
            downloads.rate_limit = %self.rate_limit,
            http.listen = listen.join(" "),
            "serving"
        );
    }
}
