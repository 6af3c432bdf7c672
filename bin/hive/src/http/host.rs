//! Which `Host` a request may name: the guard against DNS rebinding, where a foreign name is pointed at our address.
//!
//! It holds on every address, also beyond loopback.

use std::{net::IpAddr, sync::Arc};

use axum::extract::Request;
use hive_api::{Problem, ProblemCode};
use http::{header, uri::Authority};

use super::problems::Refusal;
use crate::tls::Tls;

/// The names this hive answers to, in lower case, besides IP literals.
#[derive(Clone, Debug)]
pub(crate) struct AllowedHosts {
    names: Vec<String>,
    /// The names of the certificate count too, as it is now.
    tls: Option<Arc<Tls>>,
}

impl AllowedHosts {
    /// `localhost`, the machine's name, and what the person allowed.
    pub(crate) fn new(machine: &str, allowed: &[String], tls: Option<Arc<Tls>>) -> Self {
        let own = ["localhost".to_owned(), machine.to_ascii_lowercase()];
        let names = own.into_iter().chain(allowed.iter().cloned()).collect();
        Self { names, tls }
    }

    /// Whether the request names a host that it may.
    #[cfg(fuzzing)]
    pub(crate) fn accepts(&self, request: &Request) -> bool {
        self.check(request).is_ok()
    }

    /// Refuses a request that names another host, or none.
    pub(super) fn check(&self, request: &Request) -> Result<(), Refusal> {
        let authority = named_host(request)?;
        if let Some(target) = request.uri().authority()
            && *target != authority
        {
            let detail = "`Host` and the request's target name different hosts";
            return Err(Refusal::new(ProblemCode::MalformedHeader, detail));
        }
        let host = authority.host();
        let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        let is_of_certificate = || self.tls.as_ref().is_some_and(|tls| tls.is_for(&name));
        if is_ip_literal(host) || self.names.contains(&name) || is_of_certificate() {
            return Ok(());
        }
        let detail = format!("this hive is not `{name}`");
        Err(Problem::new(ProblemCode::HostNotAllowed, detail)
            .with_hint(format!("start it with `hive serve --allow-host {name}`"))
            .into())
    }
}

/// The one `Host` of the request (RFC 9112, section 3.2), without user information.
pub(super) fn named_host(request: &Request) -> Result<Authority, Refusal> {
    let malformed = |detail| Refusal::new(ProblemCode::MalformedHeader, detail);
    let mut values = request.headers().get_all(header::HOST).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(malformed("exactly one `Host` header is needed"));
    };
    let authority: Option<Authority> = value.to_str().ok().and_then(|text| text.parse().ok());
    authority
        .filter(|authority| !authority.as_str().contains('@') && has_sound_port(authority))
        .ok_or_else(|| malformed("the `Host` header is not a host and a port"))
}

/// Whether what follows the host is nothing, or a port that there is.
fn has_sound_port(authority: &Authority) -> bool {
    authority.as_str().len() == authority.host().len() || authority.port_u16().is_some()
}

fn is_ip_literal(host: &str) -> bool {
    let bracketed = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    bracketed.unwrap_or(host).parse::<IpAddr>().is_ok()
}
