//! An nginx of this run alone: one file at every path, on a free port of loopback.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, bail};
use tokio::{
    net::TcpStream,
    process::{Child, Command},
    time::{Instant, sleep},
};

use crate::packages;

const START_LIMIT: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(10);

/// When it had handed over each answer, in seconds since 1970, a line each.
const ENDS: &str = "ends.log";

/// A running nginx; it ends when this is dropped.
pub(super) struct Nginx {
    address: SocketAddr,
    ends: PathBuf,
    _process: Child,
}

impl Nginx {
    /// Serves the file `served` of `folder`, each response at most at this rate.
    pub(super) async fn start(
        folder: &Path,
        served: &str,
        bytes_per_second: Option<u64>,
    ) -> Result<Self> {
        let address = free_address()?;
        let configuration = folder.join("nginx.conf");
        fs::write(
            &configuration,
            configure(address, folder, served, bytes_per_second.unwrap_or(0)),
        )?;
        let log = folder.join("nginx.log");
        let mut process = Command::new(packages::path_of("nginx").context("nginx is missing")?)
            .arg("-e")
            .arg(&log)
            .arg("-p")
            .arg(folder)
            .arg("-c")
            .arg(&configuration)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("nginx did not start")?;
        let deadline = Instant::now() + START_LIMIT;
        while TcpStream::connect(address).await.is_err() {
            if process.try_wait()?.is_some() || Instant::now() > deadline {
                let said = fs::read_to_string(&log).unwrap_or_default();
                bail!("nginx does not serve: {said}");
            }
            sleep(POLL).await;
        }
        Ok(Self {
            address,
            ends: folder.join(ENDS),
            _process: process,
        })
    }

    /// `http://127.0.0.1:port`
    pub(super) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// When it had handed the last byte of its last answer to the system.
    pub(super) fn last_byte_at(&self) -> Result<SystemTime> {
        let ends = fs::read_to_string(&self.ends)?;
        let last = ends.lines().last().context("nothing was served")?;
        Ok(UNIX_EPOCH + Duration::from_secs_f64(last.parse()?))
    }
}

/// One process, so that ending it ends all of it. A `limit_rate` of 0 is none.
///
/// nginx limits each response by waiting between its pieces, and not after the last one: with small pieces a client
/// that asks for many ranges on one connection gets no more than one that asks for all.
fn configure(address: SocketAddr, folder: &Path, served: &str, limit_rate: u64) -> String {
    let folder = folder.display();
    let piece = if limit_rate > 0 { "512k" } else { "2m" };
    format!(
        "daemon off;
master_process off;
pid {folder}/nginx.pid;
events {{ worker_connections 512; }}
http {{
  log_format end $msec;
  access_log {folder}/{ENDS} end;
  sendfile on;
  sendfile_max_chunk {piece};
  tcp_nopush on;
  client_body_temp_path {folder}/nginx-body;
  proxy_temp_path {folder}/nginx-proxy;
  fastcgi_temp_path {folder}/nginx-fastcgi;
  uwsgi_temp_path {folder}/nginx-uwsgi;
  scgi_temp_path {folder}/nginx-scgi;
  server {{
    listen {address};
    root {folder};
    limit_rate {limit_rate};
    location / {{ try_files /{served} =404; }}
  }}
}}
"
    )
}

fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?)
}
