//! What a hive says about itself.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Caller, Fingerprint};

/// The answer of `GET /v1/hive`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HiveInfo {
    /// Who asks.
    pub caller: Caller,
    /// The machine's name.
    pub name: String,
    /// The hive's version, as in semantic versioning.
    pub version: String,
    /// The operation kinds this hive runs.
    pub capabilities: Vec<String>,
    /// The hive's process id on its machine.
    pub pid: u32,
    /// The state folder.
    pub state_path: String,
    /// The store's folder.
    pub store_path: String,
    /// Bytes free on the store's disk, or null where the system does not tell.
    pub free_bytes: Option<u64>,
    /// The Hub this hive fetches from, without credentials.
    pub hub_endpoint: String,
    /// The name of the Hub account, or null when none is set or it is not known yet.
    pub hub_account: Option<String>,
    /// Where the Hub token came from (`HF_TOKEN`, a file's path), or null when there is none.
    pub hub_token_source: Option<String>,
    /// The proxy in use, without credentials.
    pub proxy: Option<String>,
    /// The certificate file in use besides the system's roots.
    pub ca_file: Option<String>,
    /// The TCP addresses it listens on besides its unix socket.
    pub listen: Vec<String>,
    /// The certificate that it shows on these addresses, or null where they are plain HTTP.
    #[serde(default)]
    pub tls: Option<HiveTls>,
    /// The most connections that its downloads have open at once, all together.
    pub connections: u32,
    /// The most bytes a second that its downloads receive, all together, or null for no limit.
    pub limit_bytes_per_second: Option<u64>,
    /// Jobs that are running now.
    pub running_jobs: u32,
    /// Jobs that wait for a slot.
    pub queued_jobs: u32,
    /// Seconds since the start.
    pub uptime_seconds: u64,
}

/// The certificate of a hive that speaks TLS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HiveTls {
    /// The fingerprint of the certificate, which a client can pin.
    pub fingerprint: Fingerprint,
    /// When the certificate ends.
    pub not_after: Timestamp,
    /// Whether the hive made it itself.
    pub self_signed: bool,
}

/// The answer of `GET /readyz`; a hive that is not ready answers a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Ready {
    /// Always true.
    pub ready: bool,
}
