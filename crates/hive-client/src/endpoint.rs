//! Where a hive is and how one gets in: its unix socket, or an HTTP address with a token.

use std::{error::Error, iter::successors, path::PathBuf, time::Duration};

use reqwest::redirect;
use secrecy::SecretString;
use url::Url;

use crate::{ClientError, HttpProxy, Trust};

/// A connection that takes longer will not come.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// No read waits longer, on a stream neither: above three times the longest heartbeat that a stream accepts.
const READ_LIMIT: Duration = Duration::from_secs(200);
/// Any host would do over a unix socket; this one passes the hive's check of `Host`.
const UNIX_SOCKET_BASE: &str = "http://localhost/";

/// Where a hive is and how one gets in.
#[derive(Clone, Debug)]
pub enum Endpoint {
    /// The unix socket of a hive on this machine; the file's permission is the token.
    UnixSocket(PathBuf),
    /// A unix socket here that leads to that of a hive elsewhere; whoever forwards it has let the person in.
    Forwarded {
        /// The local end.
        socket: PathBuf,
        /// What a person recognises the hive by, such as `ssh://gpu1`.
        address: String,
    },
    /// A TCP address.
    Http(HttpEndpoint),
}

/// A hive behind a TCP address.
#[derive(Clone, Debug)]
pub struct HttpEndpoint {
    /// `http://host:port` or `https://host:port`, with a path where a proxy puts the hive under one.
    pub url: Url,
    /// The bearer token.
    pub token: Option<SecretString>,
    /// What makes its certificate the right one; anything but the system's roots needs an https address.
    pub trust: Trust,
    /// What it is asked through; never anything that the environment or the system names.
    pub proxy: Option<HttpProxy>,
}

impl Endpoint {
    /// What a person recognises it by.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::UnixSocket(path) => path.display().to_string(),
            Self::Forwarded { address, .. } => address.clone(),
            Self::Http(endpoint) => {
                let address = endpoint.url.as_str().trim_end_matches('/');
                match &endpoint.proxy {
                    Some(proxy) => format!("{address} through the proxy {proxy}"),
                    None => address.to_owned(),
                }
            }
        }
    }

    /// The address that routes are appended to, ending in a slash.
    pub(crate) fn base(&self) -> Result<Url, ClientError> {
        let (text, address) = match self {
            Self::UnixSocket(_) | Self::Forwarded { .. } => {
                (UNIX_SOCKET_BASE.to_owned(), self.describe())
            }
            Self::Http(endpoint) => (endpoint.url.to_string(), self.describe()),
        };
        let bad_address = |reason: &str| ClientError::BadAddress {
            address: address.clone(),
            reason: reason.to_owned(),
        };
        let mut base = Url::parse(&text).map_err(|error| bad_address(&error.to_string()))?;
        if !matches!(base.scheme(), "http" | "https") {
            return Err(bad_address("it begins with neither http:// nor https://"));
        }
        if let Self::Http(endpoint) = self
            && base.scheme() == "http"
            && endpoint.trust != Trust::SystemRoots
        {
            return Err(bad_address(
                "it is not https, so no certificate of it can be checked",
            ));
        }
        if base.host_str().is_none_or(str::is_empty) {
            return Err(bad_address("it names no host"));
        }
        if !base.username().is_empty() || base.password().is_some() {
            return Err(bad_address("a name or a password does not belong in it"));
        }
        base.set_query(None);
        base.set_fragment(None);
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        Ok(base)
    }

    /// An HTTP client for this hive alone: no proxy but a named one, no redirects, one request a connection at a time.
    pub(crate) fn http_client(&self) -> Result<reqwest::Client, ClientError> {
        let builder = reqwest::Client::builder()
            .user_agent(concat!("keeper/", env!("CARGO_PKG_VERSION")))
            .http1_only()
            .no_proxy()
            .redirect(redirect::Policy::none())
            .referer(false)
            .tls_info(true)
            .connect_timeout(CONNECT_LIMIT)
            .read_timeout(READ_LIMIT);
        let builder = match self {
            Self::UnixSocket(path) | Self::Forwarded { socket: path, .. } => {
                // Nothing here speaks TLS, and a system without authorities is no reason to fail.
                builder.unix_socket(path.as_path()).tls_certs_only([])
            }
            Self::Http(endpoint) => {
                let builder = match endpoint.url.scheme() {
                    "http" => builder.tls_certs_only([]),
                    _ => endpoint.trust.apply(&self.describe(), builder)?,
                };
                let builder = builder.tcp_nodelay(true);
                match &endpoint.proxy {
                    Some(proxy) => builder.proxy(through(proxy)?),
                    None => builder,
                }
            }
        };
        builder.build().map_err(|error| unusable(&error))
    }

    /// No wait between two connections of an event stream is longer: a person watches, and nothing is spared by waiting
    /// for a hive of this machine.
    pub(crate) fn longest_wait(&self) -> Duration {
        match self {
            Self::UnixSocket(_) => Duration::from_secs(2),
            // Making the way again costs more than a look at a socket.
            Self::Forwarded { .. } => Duration::from_secs(5),
            Self::Http(_) => Duration::from_secs(15),
        }
    }

    /// The bearer token, where one is needed.
    pub(crate) fn token(&self) -> Option<&SecretString> {
        match self {
            Self::UnixSocket(_) | Self::Forwarded { .. } => None,
            Self::Http(endpoint) => endpoint.token.as_ref(),
        }
    }
}

fn through(proxy: &HttpProxy) -> Result<reqwest::Proxy, ClientError> {
    reqwest::Proxy::all(proxy.url().clone()).map_err(|error| unusable(&error))
}

fn unusable(error: &reqwest::Error) -> ClientError {
    // The causes above the last one only say that something went wrong.
    let causes = successors(error.source(), |&error| error.source());
    let reason = causes
        .last()
        .map_or_else(|| error.to_string(), ToString::to_string);
    ClientError::NoClient { reason }
}

#[cfg(test)]
mod tests {
    use hive_api::Fingerprint;

    use super::*;

    fn base(url: &str) -> Result<String, ClientError> {
        let url = Url::parse(url).unwrap();
        base_trusting(url, Trust::SystemRoots)
    }

    fn base_trusting(url: Url, trust: Trust) -> Result<String, ClientError> {
        let endpoint = HttpEndpoint {
            url,
            token: None,
            trust,
            proxy: None,
        };
        Endpoint::Http(endpoint).base().map(String::from)
    }

    #[test]
    fn a_pin_or_an_authority_without_tls_is_refused() {
        let pin = Fingerprint::of_certificate(b"");
        for trust in [Trust::Pin(pin), Trust::CaFile("ca.pem".into())] {
            let at = |url: &str| base_trusting(Url::parse(url).unwrap(), trust.clone());
            assert!(at("https://gpu1/").is_ok());
            let refused = at("http://127.0.0.1:7835/");
            assert!(
                matches!(refused, Err(ClientError::BadAddress { .. })),
                "{trust:?}"
            );
        }
    }

    #[test]
    fn an_address_may_have_a_path_and_loses_its_query() {
        assert_eq!(base("https://gpu1:7835").unwrap(), "https://gpu1:7835/");
        assert_eq!(
            base("https://proxy/hives/gpu1?x=1").unwrap(),
            "https://proxy/hives/gpu1/"
        );
    }

    #[test]
    fn an_address_that_is_no_http_address_or_carries_a_password_is_refused() {
        for url in ["ftp://gpu1/", "file:///tmp/x", "http://alice:secret@gpu1/"] {
            assert!(
                matches!(base(url), Err(ClientError::BadAddress { .. })),
                "{url}"
            );
        }
    }
}
