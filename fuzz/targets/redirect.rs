//! A redirect that is followed leads to the web, with no name and password, and from TLS neither to plain text nor to
//! a machine of a private network.
#![no_main]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use fuzz::{HUB, headers};
use libfuzzer_sys::fuzz_target;
use model_provisioner::fuzzing::redirect_target;
use url::{Host, Url};

fn is_private(address: IpAddr) -> bool {
    let v4 = |address: Ipv4Addr| {
        let [first, second, ..] = address.octets();
        matches!(
            (first, second),
            (0 | 10 | 127, _) | (169, 254) | (172, 16..=31) | (192, 168)
        )
    };
    match address {
        IpAddr::V4(address) => v4(address),
        IpAddr::V6(address) => match address.segments() {
            [0, 0, 0, 0, 0, 0xffff, ..] => address.to_ipv4_mapped().is_some_and(v4),
            [first, ..] => {
                matches!(first, 0xfc00..=0xfdff | 0xfe80..=0xfebf)
                    || address == Ipv6Addr::LOCALHOST
                    || address == Ipv6Addr::UNSPECIFIED
            }
        },
    }
}

fuzz_target!(|text: &str| {
    let headers = headers([format!("location: {text}")].iter().map(String::as_str));
    for from in [HUB, "http://mirror.test/a/b"] {
        let from: Url = from.parse().expect("it is an address");
        let Some(target) = redirect_target(&from, &headers) else {
            continue;
        };
        assert!(matches!(target.scheme(), "http" | "https"), "{target}");
        assert!(target.username().is_empty() && target.password().is_none());
        let host = target.host().expect("a followed redirect has a host");
        if from.scheme() == "https" {
            assert_eq!(target.scheme(), "https");
            match host {
                Host::Ipv4(address) => assert!(!is_private(address.into()), "{target}"),
                Host::Ipv6(address) => assert!(!is_private(address.into()), "{target}"),
                // RFC 6761, 6.3: all of these are this machine.
                Host::Domain(name) => {
                    let name = name.trim_end_matches('.');
                    let is_this = name == "localhost" || name.ends_with(".localhost");
                    assert!(!is_this, "{target}");
                }
            }
        }
    }
});
