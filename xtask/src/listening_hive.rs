//! A hive that is asked over TCP too, with folders of its own.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use hive_client::{Endpoint, HiveClient};
use rustix::process::Pid;
use tempfile::TempDir;

use crate::hive::Hive;

/// A hive on a free port of loopback, killed when this is dropped.
pub(crate) struct ListeningHive {
    hive: Hive,
    address: String,
    token: String,
    home: TempDir,
}

impl ListeningHive {
    /// Returns when it serves, with these arguments besides its address.
    pub(crate) async fn start(program: &Path, arguments: &[&str], hub: &str) -> Result<Self> {
        let home = TempDir::with_prefix("listening-hive-")?;
        let arguments = [&["--listen", "127.0.0.1:0"], arguments].concat();
        let hive = Hive::start(program, &arguments, hub, home.path()).await?;
        let client = HiveClient::connect(&Endpoint::UnixSocket(hive.socket.clone()))?;
        let addresses = client.hive().await?.listen;
        let token = fs::read_to_string(home.path().join("state/token"))?;
        Ok(Self {
            hive,
            address: addresses.first().context("it listens on TCP")?.clone(),
            token: token.trim().to_owned(),
            home,
        })
    }

    /// Where it listens, `ADDR:PORT`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Its unix socket.
    pub(crate) fn socket(&self) -> &Path {
        &self.hive.socket
    }

    /// The bearer token.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> Pid {
        self.hive.pid
    }

    /// A folder that goes with it.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// Kills it, and leaves what a crash leaves.
    pub(crate) async fn kill(self) -> Result<TempDir> {
        self.hive.kill().await?;
        Ok(self.home)
    }

    /// Stops it as a person does; it must end well.
    pub(crate) async fn stop(self) -> Result<()> {
        self.hive.stop().await
    }
}
