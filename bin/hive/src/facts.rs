//! What this hive is and works with: said in the log at its start and to whoever asks later.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
};

use hive_api::{Caller, Fingerprint, HiveInfo, RateLimit};
use jiff::Timestamp;
use job_registry::JobCounts;
use tokio::time::Instant;

use crate::{operations::KINDS, tls::Tls};

/// Why nobody can pair with this hive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoPairingAddress {
    /// It has its unix socket alone.
    #[error("this hive listens on no TCP address")]
    NotListening,
    /// Everyone on the way would read the token.
    #[error("this hive listens for other machines without TLS, over which it does not pair")]
    Unencrypted,
}

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
    pub(crate) tls: Option<Arc<Tls>>,
    /// The most connections of its downloads, all together.
    pub(crate) connections: u32,
    /// The most that its downloads receive, all together.
    pub(crate) rate_limit: RateLimit,
    pub(crate) started: Instant,
    pub(crate) started_at: Timestamp,
}

impl Facts {
    /// The answer to who asks.
    pub(crate) fn info(
        &self,
        caller: Caller,
        counts: JobCounts,
        free_bytes: Option<u64>,
    ) -> HiveInfo {
        HiveInfo {
            caller,
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
            tls: self.tls.as_ref().map(|tls| tls.info()),
            connections: self.connections,
            limit_bytes_per_second: self.rate_limit.bytes_per_second(),
            running_jobs: counts.running,
            queued_jobs: counts.queued,
            uptime_seconds: self.started.elapsed().as_secs(),
        }
    }

    /// Where one who pairs reaches this hive: with TLS from other machines, without it from this one alone.
    pub(crate) fn pairing_url(&self) -> Result<String, NoPairingAddress> {
        pairing_url(&self.machine, &self.listen, self.tls.is_some())
    }

    /// What one who pairs pins: a certificate that no authority vouches for. One of an authority may be renewed.
    pub(crate) fn pin(&self) -> Option<Fingerprint> {
        let tls = self.tls.as_ref()?.info();
        tls.self_signed.then_some(tls.fingerprint)
    }

    /// The first line of a hive's log.
    pub(crate) fn log(&self) {
        let listen: Vec<String> = self.listen.iter().map(ToString::to_string).collect();
        let fingerprint = self.tls.as_ref().map(|tls| tls.info().fingerprint);
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
            tls.fingerprint = fingerprint.map(tracing::field::display),
            "serving"
        );
    }
}

fn pairing_url(
    machine: &str,
    listen: &[SocketAddr],
    is_encrypted: bool,
) -> Result<String, NoPairingAddress> {
    let reaches_out = |address: &&SocketAddr| !address.ip().is_loopback();
    let reaches_itself =
        |address: &&SocketAddr| address.ip().is_loopback() || address.ip().is_unspecified();
    if listen.is_empty() {
        return Err(NoPairingAddress::NotListening);
    }
    if !is_encrypted {
        let found = listen.iter().find(reaches_itself);
        let address = found.ok_or(NoPairingAddress::Unencrypted)?;
        let host = match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        return Ok(format!("http://{}", SocketAddr::new(host, address.port())));
    }
    let found = listen.iter().find(reaches_out);
    let address = found
        .or(listen.first())
        .ok_or(NoPairingAddress::NotListening)?;
    Ok(if address.ip().is_unspecified() {
        format!("https://{}:{}", machine, address.port())
    } else {
        format!("https://{address}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(is_encrypted: bool, listen: &[&str]) -> Result<String, NoPairingAddress> {
        let listen: Vec<SocketAddr> = listen.iter().map(|text| text.parse().unwrap()).collect();
        pairing_url("gpu1", &listen, is_encrypted)
    }

    #[test]
    fn one_who_pairs_is_shown_an_address_that_reaches_the_hive_and_hides_the_token() {
        for (is_encrypted, listen, expected) in [
            (true, &["0.0.0.0:7835"][..], "https://gpu1:7835"),
            (true, &["[::]:7835"], "https://gpu1:7835"),
            (true, &["127.0.0.1:1", "192.0.2.1:2"], "https://192.0.2.1:2"),
            (true, &["127.0.0.1:1"], "https://127.0.0.1:1"),
            (false, &["127.0.0.1:7835"], "http://127.0.0.1:7835"),
            (false, &["192.0.2.1:2", "[::]:3"], "http://[::1]:3"),
        ] {
            assert_eq!(url(is_encrypted, listen).as_deref(), Ok(expected));
        }
        assert_eq!(url(true, &[]), Err(NoPairingAddress::NotListening));
        let open = url(false, &["192.0.2.1:2"]);
        assert_eq!(open, Err(NoPairingAddress::Unencrypted));
    }
}
