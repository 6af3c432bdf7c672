//! A proxy of this run alone, on a free port of loopback, with a certificate of its own.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use tokio::{
    net::TcpStream,
    process::{Child, Command},
    time::{Instant, sleep},
};

use super::configuration::{Configuration, HOST, Kind, Ways};
use crate::{packages, programs::succeed};

const START_LIMIT: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(20);

/// A running proxy; it ends when this is dropped.
pub(super) struct Front {
    pub(super) address: SocketAddr,
    pub(super) certificate: PathBuf,
    pub(super) prefix: &'static str,
    _process: Child,
}

impl Front {
    pub(super) async fn start(
        configuration: &Configuration,
        hive: &str,
        folder: &Path,
    ) -> Result<Self> {
        certify(folder)?;
        let address = free_address()?;
        let ways = Ways {
            front: address,
            hive,
            folder,
        };
        let file = folder.join("proxy.conf");
        fs::write(&file, configuration.file(&ways)?)?;
        let log = folder.join("proxy.log");
        let mut process = command(configuration.kind, folder, &file)?
            .env("HOME", folder)
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("XDG_DATA_HOME")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log)?)
            .kill_on_drop(true)
            .spawn()
            .context("the proxy did not start")?;
        let deadline = Instant::now() + START_LIMIT;
        while TcpStream::connect(address).await.is_err() {
            if process.try_wait()?.is_some() || Instant::now() > deadline {
                bail!("the proxy does not serve: {}", fs::read_to_string(&log)?);
            }
            sleep(POLL).await;
        }
        Ok(Self {
            address,
            certificate: folder.join("hive.pem"),
            prefix: configuration.prefix,
            _process: process,
        })
    }

    /// The hive's address through the proxy, by a name that every hive knows.
    pub(super) fn url(&self) -> String {
        format!("https://localhost:{}{}", self.address.port(), self.prefix)
    }

    /// The same by the name of the page.
    pub(super) fn named_url(&self) -> String {
        format!("https://{HOST}:{}{}", self.address.port(), self.prefix)
    }
}

fn command(kind: Kind, folder: &Path, file: &Path) -> Result<Command> {
    Ok(match kind {
        Kind::Nginx => {
            let mut nginx = Command::new(packages::path_of("nginx").context("nginx is missing")?);
            nginx.args(["-e", "stderr", "-p"]).arg(folder);
            nginx.arg("-c").arg(file);
            nginx
        }
        Kind::Caddy => {
            let mut caddy = Command::new("caddy");
            caddy.args(["run", "--adapter", "caddyfile", "--config"]);
            caddy.arg(file);
            caddy
        }
    })
}

fn certify(folder: &Path) -> Result<()> {
    succeed(
        std::process::Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt"])
            .args(["ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
            .args(["-subj", &format!("/CN={HOST}"), "-addext"])
            .arg(format!("subjectAltName=DNS:{HOST},DNS:localhost"))
            .args(["-addext", "basicConstraints=critical,CA:FALSE"])
            .arg("-keyout")
            .arg(folder.join("hive.key"))
            .arg("-out")
            .arg(folder.join("hive.pem"))
            .stderr(Stdio::null()),
    )
}

pub(super) fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?)
}
