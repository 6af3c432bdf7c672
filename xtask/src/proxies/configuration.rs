//! The proxies' configurations as docs/OPERATIONS.md has them, and with the ports and files of one run.

use std::{fs, net::SocketAddr, path::Path};

use anyhow::{Result, ensure};

use crate::programs::root;

/// The name in the page's examples.
pub(super) const HOST: &str = "hive.example.org";
/// Where the page says that the hive is.
const HIVE: &str = "127.0.0.1:7835";
const CERTIFICATE: &str = "/etc/ssl/hive.pem";
const KEY: &str = "/etc/ssl/hive.key";

/// Which proxy reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Nginx,
    Caddy,
}

/// One of the page's.
#[derive(Debug)]
pub(super) struct Configuration {
    pub(super) kind: Kind,
    /// The path that the hive is under, or nothing.
    pub(super) prefix: &'static str,
    text: String,
}

/// What of a configuration is different on this machine.
pub(super) struct Ways<'a> {
    pub(super) front: SocketAddr,
    pub(super) hive: &'a str,
    pub(super) folder: &'a Path,
}

/// All that the page has.
pub(super) fn of_the_page() -> Result<Vec<Configuration>> {
    let page = fs::read_to_string(root().join("docs/OPERATIONS.md"))?;
    let mut found = Vec::new();
    for (language, kind) in [("nginx", Kind::Nginx), ("caddy", Kind::Caddy)] {
        for block in page.split(&format!("```{language}\n")).skip(1) {
            let text = block.split("```").next().unwrap_or_default().to_owned();
            let prefix = if text.contains("/hive/") { "/hive" } else { "" };
            found.push(Configuration { kind, prefix, text });
        }
    }
    ensure!(
        found.len() == 4,
        "the page has {} configurations",
        found.len()
    );
    Ok(found)
}

impl Configuration {
    pub(super) fn name(&self) -> String {
        match self.prefix {
            "" => format!("{:?}", self.kind),
            prefix => format!("{:?} under {prefix}", self.kind),
        }
    }

    /// One that does not listen to what hive wishes.
    pub(super) fn holding_back(&self) -> Self {
        Self {
            text: self.text.replace(
                "proxy_buffering off;",
                "proxy_ignore_headers X-Accel-Buffering;",
            ),
            ..*self
        }
    }

    /// A whole file for the proxy.
    pub(super) fn file(&self, ways: &Ways) -> Result<String> {
        for named in [HIVE, HOST, CERTIFICATE, KEY] {
            ensure!(
                self.text.contains(named),
                "`{named}` is not in {}",
                self.text
            );
        }
        let folder = ways.folder.display();
        let text = self
            .text
            .replace(HIVE, ways.hive)
            .replace(CERTIFICATE, &format!("{folder}/hive.pem"))
            .replace(KEY, &format!("{folder}/hive.key"));
        let front = ways.front;
        Ok(match self.kind {
            Kind::Nginx => format!(
                "daemon off;
master_process off;
pid {folder}/nginx.pid;
events {{ worker_connections 64; }}
http {{
access_log off;
client_body_temp_path {folder}/body;
proxy_temp_path {folder}/proxied;
fastcgi_temp_path {folder}/fastcgi;
uwsgi_temp_path {folder}/uwsgi;
scgi_temp_path {folder}/scgi;
{}
}}
",
                text.replace("listen 443 ssl;", &format!("listen {front} ssl;"))
            ),
            Kind::Caddy => {
                let port = front.port();
                let sites = format!("https://{HOST}:{port}, https://localhost:{port} {{");
                format!(
                    "{{\nadmin off\nauto_https off\ndefault_bind 127.0.0.1\n}}\n{}",
                    text.replace(&format!("{HOST} {{"), &sites)
                )
            }
        })
    }
}
