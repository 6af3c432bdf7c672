//! What this hive was told of the way to the Hub: the proxy, and the certificates that it trusts.

use std::{fs::File, io, time::Duration};

use hive_api::Finding;
use tokio::{net::TcpStream, task::spawn_blocking, time::timeout};
use url::Url;

/// A proxy is near; one that takes longer to take a connection takes none.
const LIMIT: Duration = Duration::from_secs(5);

/// Whether the proxy takes connections and the file of certificates can still be read.
pub(super) async fn proxy(proxy: Option<&str>, ca_file: Option<&str>) -> Finding {
    let roots = match ca_file {
        Some(file) => format!("system roots and {file}"),
        None => "system roots".to_owned(),
    };
    let found = format!("{}, {roots}", proxy.unwrap_or("no proxy"));
    if let Some(file) = ca_file
        && let Err(error) = readable(file.to_owned()).await
    {
        return Finding::fail(
            "proxy",
            format!("{file} cannot be read: {error}"),
            "name a PEM file with certificates in SSL_CERT_FILE, or unset it, and restart the hive \
             (docs/OPERATIONS.md#hub)",
        );
    }
    if let Some(proxy) = proxy
        && let Err(error) = takes_connections(proxy).await
    {
        return Finding::fail(
            "proxy",
            format!("{proxy} takes no connection: {error}"),
            "correct HTTPS_PROXY or NO_PROXY in the hive's environment, or start the proxy (docs/OPERATIONS.md#hub)",
        );
    }
    Finding::ok("proxy", found)
}

async fn readable(file: String) -> io::Result<()> {
    let opened = timeout(LIMIT, spawn_blocking(|| File::open(file).map(drop))).await;
    opened?.map_err(io::Error::other).flatten()
}

async fn takes_connections(proxy: &str) -> io::Result<()> {
    let unusable = || io::Error::from(io::ErrorKind::InvalidInput);
    let url = Url::parse(proxy).map_err(|_| unusable())?;
    let host = url.host_str().ok_or_else(unusable)?;
    let port = url.port_or_known_default().ok_or_else(unusable)?;
    let address = format!("{host}:{port}");
    timeout(LIMIT, TcpStream::connect(address)).await?.map(drop)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use hive_api::FindingLevel;
    use tempfile::TempDir;

    use super::*;

    #[tokio::test]
    async fn a_proxy_that_refuses_fails_and_one_that_listens_is_well() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let well = proxy(Some(&address), None).await;
        assert_eq!(
            well,
            Finding::ok("proxy", format!("{address}, system roots"))
        );
        drop(listener);
        let refused = proxy(Some(&address), None).await;
        assert!(refused.is(FindingLevel::Fail), "{refused:?}");
        assert!(refused.found.starts_with(&address), "{refused:?}");
        assert!(refused.next.unwrap().contains("HTTPS_PROXY"));
    }

    #[tokio::test]
    async fn certificates_that_are_gone_fail_with_the_variable() {
        let folder = TempDir::new().unwrap();
        let gone = folder.path().join("own.pem");
        let finding = proxy(None, gone.to_str()).await;
        assert!(finding.is(FindingLevel::Fail), "{finding:?}");
        assert!(finding.next.unwrap().contains("SSL_CERT_FILE"));
    }
}
