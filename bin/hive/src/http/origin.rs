//! Which pages may ask: none but our own. No answer ever carries a CORS header.

use axum::extract::Request;
use hive_api::ProblemCode;
use http::header;

use super::{host::named_host, problems::Refusal};

/// Refuses what a browser sends on behalf of a page of another origin (Fetch Metadata, Fetch standard).
pub(super) fn check(request: &Request) -> Result<(), Refusal> {
    let says = |name: &str, value: &str| {
        request
            .headers()
            .get_all(name)
            .iter()
            .any(|found| found.as_bytes().eq_ignore_ascii_case(value.as_bytes()))
    };
    let foreign = || {
        let detail = "a page of another origin cannot ask this hive";
        Err(Refusal::new(ProblemCode::OriginNotAllowed, detail))
    };
    if says("sec-fetch-mode", "no-cors") || says("sec-fetch-site", "cross-site") {
        return foreign();
    }
    let mut origins = request.headers().get_all(header::ORIGIN).iter();
    match (origins.next(), origins.next()) {
        (None, _) => Ok(()),
        (Some(origin), None) if is_own(origin.as_bytes(), named_host(request)?.as_str()) => Ok(()),
        (Some(_), _) => foreign(),
    }
}

/// Refuses a change by cookie that does not say which page asks: a browser sends the cookie for any of them. One that
/// says another origin than ours was refused by [`check`].
pub(super) fn check_change(request: &Request) -> Result<(), Refusal> {
    if request.method().is_safe() || request.headers().contains_key(header::ORIGIN) {
        return Ok(());
    }
    let detail = "a change by cookie needs the `Origin` of the page that asks";
    Err(Refusal::new(ProblemCode::OriginNotAllowed, detail))
}

/// A page of ours names the host and port that it was loaded from, behind a proxy with TLS as well.
fn is_own(origin: &[u8], host: &str) -> bool {
    ["http://", "https://"]
        .iter()
        .any(|scheme| origin.eq_ignore_ascii_case(format!("{scheme}{host}").as_bytes()))
}
