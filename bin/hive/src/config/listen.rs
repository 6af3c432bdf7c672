//! The TCP addresses to listen on; none beyond loopback without TLS, unless told so in so many words.

use std::net::{IpAddr, SocketAddr};

use super::{ConfigError, Layers};

/// The port of an address that names none.
const DEFAULT_PORT: u16 = 7835;

impl Layers {
    pub(super) fn listen(&self) -> Result<Vec<SocketAddr>, ConfigError> {
        let insecure_http = self.said("insecure_http", |layer| layer.insecure_http);
        let may_leave = insecure_http.is_some() || self.tls()?.is_some();
        let Some((key, texts)) = self.first("listen", |layer| layer.listen.clone()) else {
            return Ok(Vec::new());
        };
        texts
            .into_iter()
            .map(|text| {
                let Some(address) = parse_address(&text) else {
                    let expected = "an IP address with a port, such as `127.0.0.1:7835`";
                    return Err(ConfigError::invalid(&key, text, expected));
                };
                if address.ip().to_canonical().is_loopback() || may_leave {
                    Ok(address)
                } else {
                    let key = key.clone();
                    Err(ConfigError::BeyondLoopback { key, address })
                }
            })
            .collect()
    }
}

/// Reads `ADDR:PORT`, or `ADDR` alone with the default port; IPv6 with or without brackets.
fn parse_address(text: &str) -> Option<SocketAddr> {
    let alone = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(text);
    text.parse().ok().or_else(|| {
        let address: IpAddr = alone.parse().ok()?;
        Some(SocketAddr::new(address, DEFAULT_PORT))
    })
}
