//! Which way a request takes: straight, or over the proxy that the environment names.
//!
//! The variables are those of every HTTP client: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, in capitals
//! or not. An https request goes through a tunnel (`CONNECT`), of which the proxy sees host and port alone. A plain
//! http request is the proxy's to read, so the Hub's token is not sent with one.

use std::fmt;

use hyper_util::client::proxy::matcher::Matcher;
use reqwest::{ClientBuilder, NoProxy};
use url::Url;

use crate::EnvironmentError;

/// The proxies of the environment. Printing it shows no credentials.
#[derive(Clone, Default)]
pub struct Proxies {
    http: Option<Url>,
    https: Option<Url>,
    /// Hosts that are reached without one, as `NO_PROXY` lists them.
    exceptions: String,
}

impl Proxies {
    /// The proxies that the variables name. The environment is an argument, so that a test can give one.
    pub fn discover(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, EnvironmentError> {
        let first = |names: &[&'static str]| {
            let value = |name: &&'static str| {
                let value = lookup(name).filter(|value| !value.trim().is_empty())?;
                Some((*name, value))
            };
            names.iter().find_map(value)
        };
        let proxy = |names: &[&'static str]| match first(names) {
            Some((name, value)) => address(name, value.trim()).map(Some),
            None => Ok(None),
        };
        let exceptions = first(&["NO_PROXY", "no_proxy"]);
        Ok(Self {
            http: proxy(&["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])?,
            https: proxy(&["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])?,
            exceptions: exceptions.map(|(_, value)| value).unwrap_or_default(),
        })
    }

    /// The address of the proxy on the way to `url`, without its credentials.
    pub fn shown_for(&self, url: &Url) -> Option<String> {
        let mut proxy = self.on_the_way_to(url)?.clone();
        // An address with a host can have credentials, so it can have none too.
        let _ = proxy.set_username("");
        let _ = proxy.set_password(None);
        Some(proxy.as_str().trim_end_matches('/').to_owned())
    }

    /// Its host and port, for an error.
    pub(super) fn named_for(&self, url: &Url) -> Option<String> {
        let proxy = self.on_the_way_to(url)?;
        Some(host_and_port(proxy))
    }

    fn on_the_way_to(&self, url: &Url) -> Option<&Url> {
        let proxy = match url.scheme() {
            "https" => self.https.as_ref()?,
            _ => self.http.as_ref()?,
        };
        // Asked of the matcher that the HTTP client asks, so that both see the same exceptions.
        let matcher = Matcher::builder()
            .all(proxy.as_str())
            .no(self.exceptions.as_str())
            .build();
        let is_led = matcher.intercept(&url.as_str().parse().ok()?).is_some();
        is_led.then_some(proxy)
    }

    /// Lets a client go this way, and this way only.
    pub(super) fn lead(&self, client: ClientBuilder) -> Result<ClientBuilder, reqwest::Error> {
        let exceptions = || NoProxy::from_string(&self.exceptions);
        let mut client = client.no_proxy();
        if let Some(http) = &self.http {
            client = client.proxy(reqwest::Proxy::http(http.clone())?.no_proxy(exceptions()));
        }
        if let Some(https) = &self.https {
            client = client.proxy(reqwest::Proxy::https(https.clone())?.no_proxy(exceptions()));
        }
        Ok(client)
    }
}

impl fmt::Debug for Proxies {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Proxies")
            .field("http", &self.http.as_ref().map(host_and_port))
            .field("https", &self.https.as_ref().map(host_and_port))
            .field("exceptions", &self.exceptions)
            .finish()
    }
}

/// A proxy's address; without a scheme it is an http one, as every client takes it.
fn address(name: &'static str, value: &str) -> Result<Url, EnvironmentError> {
    let read = if value.contains("://") {
        Url::parse(value)
    } else {
        Url::parse(&format!("http://{value}"))
    };
    match read {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(url),
        // The value may hold a password, so it is not repeated.
        _ => Err(EnvironmentError::BadProxy { name }),
    }
}

fn host_and_port(proxy: &Url) -> String {
    let host = proxy.host_str().unwrap_or_default();
    let port = proxy.port_or_known_default().unwrap_or_default();
    format!("{host}:{port}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(pairs: &[(&str, &str)]) -> Result<Proxies, EnvironmentError> {
        let value = |name: &str| {
            let found = pairs.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        Proxies::discover(value)
    }

    fn way(pairs: &[(&str, &str)], url: &str) -> Option<String> {
        let url = Url::parse(url).unwrap();
        proxies(pairs).unwrap().named_for(&url)
    }

    #[test]
    fn d30_the_proxy_is_the_one_that_every_client_would_take() {
        let hub = "https://hub.example/a";
        for (variables, proxy) in [
            (&[("HTTPS_PROXY", "http://p:3128")][..], Some("p:3128")),
            (&[("https_proxy", "p:3128")], Some("p:3128")),
            (&[("ALL_PROXY", "http://p")], Some("p:80")),
            (
                &[("HTTPS_PROXY", "http://p"), ("ALL_PROXY", "http://q")],
                Some("p:80"),
            ),
            (&[("HTTP_PROXY", "http://p")], None),
            (
                &[("HTTPS_PROXY", "http://p"), ("NO_PROXY", ".example")],
                None,
            ),
            (&[("HTTPS_PROXY", "http://p"), ("NO_PROXY", "*")], None),
            (
                &[("HTTPS_PROXY", "http://p"), ("no_proxy", "other")],
                Some("p:80"),
            ),
            (&[("HTTPS_PROXY", " ")], None),
            (&[], None),
        ] {
            assert_eq!(way(variables, hub).as_deref(), proxy, "{variables:?}");
        }
        let both = [("HTTP_PROXY", "http://p"), ("HTTPS_PROXY", "http://q")];
        assert_eq!(way(&both, "http://hub.example").as_deref(), Some("p:80"));
    }

    #[test]
    fn a_proxys_password_is_never_shown() {
        let variables = [("HTTPS_PROXY", "http://user:canary@p:1")];
        let found = proxies(&variables).unwrap();
        let hub = Url::parse("https://hub.example").unwrap();
        assert_eq!(found.shown_for(&hub).unwrap(), "http://p:1");
        assert!(!format!("{found:?}").contains("canary"));
        assert_eq!(way(&variables, "https://hub.example").unwrap(), "p:1");
        let refused = proxies(&[("ALL_PROXY", "socks5://user:canary@p:1")]).unwrap_err();
        assert!(!refused.to_string().contains("canary"));
        assert!(refused.to_string().contains("ALL_PROXY"));
    }
}
