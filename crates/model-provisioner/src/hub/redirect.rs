//! Where a redirect leads, and where it must not.

use std::net::Ipv4Addr;

use downloader::SourceErrorKind;
use reqwest::header::{HeaderMap, LOCATION};
use url::{Host, Url};

use super::{HubError, failure};

/// The most redirects that are followed for one question.
pub(crate) const MAX_HOPS: usize = 10;

/// The target of a redirect: http or https, never from https down to http, never with credentials in it.
pub(crate) fn target(from: &Url, headers: &HeaderMap) -> Result<Url, HubError> {
    let location = failure::text(headers, LOCATION.as_str())
        .ok_or_else(|| failure::nonsense(from, "a redirect without a target"))?;
    let target = from
        .join(location)
        .map_err(|_| failure::nonsense(from, "a redirect to no address"))?;
    let is_downgrade = from.scheme() == "https" && target.scheme() == "http";
    if !matches!(target.scheme(), "http" | "https") || !target.has_host() {
        return Err(refused(from, "a redirect to neither http nor https"));
    }
    if is_downgrade {
        return Err(refused(from, "a redirect from https to http"));
    }
    if !target.username().is_empty() || target.password().is_some() {
        return Err(refused(from, "a redirect with credentials in its address"));
    }
    // A Hub that is in a private network itself may lead on in it.
    if from.scheme() == "https" && is_private(&target) && !is_private(from) {
        return Err(refused(from, "a redirect into a private network"));
    }
    Ok(target)
}

/// Whether an address names a machine of a private network by its number. Names are the look-up's: a mirror inside
/// has one, and its certificate.
fn is_private(url: &Url) -> bool {
    let is_private_v4 = |address: Ipv4Addr| {
        address.is_private()
            || address.is_loopback()
            || address.is_link_local()
            // RFC 1122, 3.2.1.3: this machine on this network.
            || address.octets()[0] == 0
    };
    match url.host() {
        Some(Host::Ipv4(address)) => is_private_v4(address),
        Some(Host::Ipv6(address)) => {
            address.is_loopback()
                || address.is_unspecified()
                || address.is_unique_local()
                || address.is_unicast_link_local()
                || address.to_ipv4_mapped().is_some_and(is_private_v4)
        }
        Some(Host::Domain(name)) => is_this_machine(name),
        None => false,
    }
}

/// RFC 6761, 6.3: `localhost` and all below it, with the root's dot, with more than a resolver takes, or without.
fn is_this_machine(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    name == "localhost" || name.ends_with(".localhost")
}

/// The redirects do not end.
pub(crate) fn too_many(url: &Url) -> HubError {
    refused(url, "more than 10 redirects")
}

fn refused(url: &Url, detail: &str) -> HubError {
    HubError::new(
        SourceErrorKind::TooManyRedirects,
        failure::address(url),
        detail,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn follow(from: &str, location: &str) -> Result<String, String> {
        let from = Url::parse(from).unwrap();
        let headers = [(LOCATION, location.parse().unwrap())]
            .into_iter()
            .collect();
        match target(&from, &headers) {
            Ok(url) => Ok(url.to_string()),
            Err(error) => Err(error.detail),
        }
    }

    #[test]
    fn d14_redirects_are_followed_to_web_addresses_only_and_never_down_to_http() {
        let hub = "https://hub.example/a/b";
        for (location, target) in [
            (
                "/api/resolve-cache/x?y",
                Ok("https://hub.example/api/resolve-cache/x?y"),
            ),
            ("https://cdn.example/z", Ok("https://cdn.example/z")),
            ("//cdn.example/z", Ok("https://cdn.example/z")),
            ("http://hub.example/a", Err("a redirect from https to http")),
            (
                "file:///etc/passwd",
                Err("a redirect to neither http nor https"),
            ),
            (
                "ftp://cdn.example/z",
                Err("a redirect to neither http nor https"),
            ),
            (
                "https://169.254.169.254/latest",
                Err("a redirect into a private network"),
            ),
            (
                "https://a..localhost../",
                Err("a redirect into a private network"),
            ),
            (
                "https://[::ffff:10.0.0.1]/",
                Err("a redirect into a private network"),
            ),
            (
                "https://localhost/",
                Err("a redirect into a private network"),
            ),
            (
                "https://localhost./",
                Err("a redirect into a private network"),
            ),
            (
                "https://a.localhost/",
                Err("a redirect into a private network"),
            ),
            ("https://0.0.0.1/", Err("a redirect into a private network")),
            (
                "https://u:p@cdn.example/",
                Err("a redirect with credentials in its address"),
            ),
        ] {
            let expected = target.map(str::to_owned).map_err(str::to_owned);
            assert_eq!(follow(hub, location), expected, "{location}");
        }
    }

    #[test]
    fn d14_a_hub_in_a_private_network_may_lead_on_in_it() {
        for hub in ["https://10.1.2.3/a", "https://localhost:8080/a"] {
            assert!(follow(hub, "/b").is_ok(), "{hub}");
            assert!(follow(hub, "https://10.1.2.4/b").is_ok(), "{hub}");
            assert!(follow(hub, "http://10.1.2.4/b").is_err(), "{hub}");
        }
    }
}
