//! A proxy on the way to a hive: none is used unless a person names one.

use std::{fmt, str::FromStr};

use url::Url;

/// An HTTP proxy. TLS to the hive goes through it as a tunnel (CONNECT, RFC 9110 section 9.3.6), so that it can neither
/// read nor change what passes. What is shown of it has no name and no password.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpProxy(Url);

/// The text names no proxy that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the address of a proxy is http://HOST:PORT")]
pub struct ParseHttpProxyError;

impl HttpProxy {
    /// Its address, to look whether it is there.
    pub const fn url(&self) -> &Url {
        &self.0
    }

    /// Whether it is told a name or a password.
    pub fn has_login(&self) -> bool {
        !self.0.username().is_empty() || self.0.password().is_some()
    }
}

impl FromStr for HttpProxy {
    type Err = ParseHttpProxyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url = Url::parse(text).map_err(|_| ParseHttpProxyError)?;
        let is_origin = matches!(url.path(), "" | "/")
            && url.query().is_none()
            && url.fragment().is_none()
            && url.host_str().is_some_and(|host| !host.is_empty());
        if url.scheme() == "http" && is_origin {
            Ok(Self(url))
        } else {
            Err(ParseHttpProxyError)
        }
    }
}

impl fmt::Display for HttpProxy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.0.host_str().unwrap_or_default();
        let port = self.0.port_or_known_default().unwrap_or_default();
        write!(formatter, "http://{host}:{port}")
    }
}

impl fmt::Debug for HttpProxy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_an_http_origin_and_is_shown_without_its_password() {
        let proxy: HttpProxy = "http://alice:secret@proxy:3128/".parse().unwrap();
        assert!(proxy.has_login());
        assert_eq!(proxy.to_string(), "http://proxy:3128");
        assert_eq!(format!("{proxy:?}"), "http://proxy:3128");
        let plain: HttpProxy = "http://[::1]".parse().unwrap();
        assert!(!plain.has_login());
        assert_eq!(plain.to_string(), "http://[::1]:80");
    }

    #[test]
    fn what_is_no_http_origin_is_refused() {
        for text in [
            "proxy:3128",
            "https://proxy",
            "socks5://proxy",
            "http://proxy/path",
            "http://proxy/?x",
            "http://",
            "",
        ] {
            assert_eq!(
                text.parse::<HttpProxy>(),
                Err(ParseHttpProxyError),
                "{text}"
            );
        }
    }
}
