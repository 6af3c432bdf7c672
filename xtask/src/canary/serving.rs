//! A hive whose log is kept.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context, Result, ensure};
use hive_client::{Endpoint, HiveClient};
use tokio::{
    fs::read_to_string,
    process::{Child, Command},
    time::{Instant, sleep},
};

use super::LIMIT;
use crate::{hive::ours, programs::Programs};

/// A hive that says all it can, into a file of its home.
pub(super) fn serve(
    programs: &Programs,
    hub: &str,
    home: &Path,
    log: &str,
    more: &[&str],
    proxy: Option<&str>,
) -> Result<Child> {
    let mut command: Command = ours(programs.hive(), hub, home);
    command
        .args(["serve", "--listen", "127.0.0.1:0"])
        .args(more)
        .env("HIVE_LOG", "trace")
        .stderr(fs::File::create(home.join(log))?)
        .kill_on_drop(true);
    if let Some(proxy) = proxy {
        command.env("HTTP_PROXY", proxy).env("http_proxy", proxy);
    }
    command.spawn().context("hive did not start")
}

/// Waits until the hive of this home serves, and gives its address.
pub(super) async fn address_of(home: &Path, log: &str) -> Result<String> {
    let deadline = Instant::now() + LIMIT;
    let log = home.join(log);
    while !read_to_string(&log).await?.contains("serving") {
        ensure!(Instant::now() < deadline, "hive does not serve");
        sleep(Duration::from_millis(20)).await;
    }
    let client = HiveClient::connect(&Endpoint::UnixSocket(home.join("state/hive.sock")))?;
    let addresses = client.hive().await?.listen;
    Ok(addresses.first().context("it listens on TCP")?.clone())
}
