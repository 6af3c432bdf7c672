//! What an answer or a lost request means: from statuses, headers and errors of the HTTP client to [`HubError`].

use std::{error::Error, io};

use downloader::SourceErrorKind;
use reqwest::{Response, StatusCode, header::HeaderMap};
use url::Url;

use super::{Denial, HubError, HubErrorKind, Missing, client::LookupFailed, rate_limit};

/// The longest server message that is passed on.
const MAX_MESSAGE_CHARACTERS: usize = 300;

/// What a bare 404 means for a file that the Hub has listed at a commit, which does not change: that somebody else
/// answered, a portal or a gateway. The Hub says `EntryNotFound`.
pub(crate) const BARE_404_OF_A_LISTED_FILE: SourceErrorKind = SourceErrorKind::BadUpstream;

/// Host and path of an address: what may be logged of it.
pub(crate) fn address(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}{}", url.path()),
        None => format!("{host}{}", url.path()),
    }
}

/// What the Hub means by an answer that is no success; `default` is what it means by a 404 that does not say.
pub(crate) fn of_response(
    response: &Response,
    has_token: bool,
    default: impl Into<HubErrorKind>,
) -> HubError {
    let headers = response.headers();
    let code = text(headers, "x-error-code");
    let status = response.status();
    let message = text(headers, "x-error-message").unwrap_or_else(|| status.as_str());
    let mut error = HubError::new(
        kind_of_status(status, code, has_token, default.into()),
        address(response.url()),
        clean(message),
    );
    error.retry_after = rate_limit::wait(headers, jiff::Timestamp::now());
    error
}

/// The table of the Hub's errors: a status means different things with different `X-Error-Code`s.
pub(crate) fn kind_of_status(
    status: StatusCode,
    error_code: Option<&str>,
    has_token: bool,
    default: HubErrorKind,
) -> HubErrorKind {
    match (status.as_u16(), error_code) {
        (401, Some("GatedRepo")) if !has_token => HubErrorKind::Denied(Denial::GatedWithoutToken),
        (401 | 403, Some("GatedRepo")) => HubErrorKind::Denied(Denial::Gated),
        (401, _) if has_token => HubErrorKind::Denied(Denial::BadToken),
        (401, _) => HubErrorKind::Denied(Denial::PrivateOrMissing),
        (403, _) => HubErrorKind::Denied(Denial::Forbidden),
        (404, Some("RepoNotFound")) => HubErrorKind::Missing(Missing::Repository),
        (404, Some("RevisionNotFound")) => HubErrorKind::Missing(Missing::Revision),
        (404, Some("EntryNotFound")) => HubErrorKind::Missing(Missing::File),
        (404, _) => default,
        // One that was not followed any more.
        (300..=399, _) => SourceErrorKind::TooManyRedirects.into(),
        (407, _) => SourceErrorKind::Proxy.into(),
        (429, _) => SourceErrorKind::RateLimited.into(),
        (status, _) => SourceErrorKind::Status(status).into(),
    }
}

/// What an error of the HTTP client means. Its URL is cut off: it may carry a signature.
///
/// Where a `proxy` is on the way, it is the one whose name is looked up and to whom the connection goes, and it alone
/// decides whether there is a tunnel through it. What TLS says comes from beyond it.
pub(crate) fn of_request(error: reqwest::Error, url: &Url, proxy: Option<&str>) -> HubError {
    let is_lookup = find::<LookupFailed>(&error).is_some();
    let is_tls = find::<rustls::Error>(&error).is_some();
    if let Some(proxy) = proxy
        && (is_lookup || error.is_connect())
        && !is_tls
    {
        let error = error.without_url();
        let detail = format!("the proxy {proxy}: {}", deepest(&error));
        return HubError {
            source: Some(Box::new(error)),
            ..HubError::new(SourceErrorKind::Proxy, address(url), detail)
        };
    }
    if find::<serde_json::Error>(&error).is_some() {
        let detail = "the answer is no JSON, as when a network shows its log-in page";
        return nonsense(url, detail);
    }
    let kind = if is_lookup {
        SourceErrorKind::Dns
    } else if is_tls {
        SourceErrorKind::Tls
    } else if error.is_connect() {
        SourceErrorKind::Connect
    } else if error.is_timeout() {
        SourceErrorKind::HeadersTimeout
    } else if error.is_redirect() {
        SourceErrorKind::TooManyRedirects
    } else {
        SourceErrorKind::Cut
    };
    let error = error.without_url();
    HubError {
        detail: deepest(&error),
        source: Some(Box::new(error)),
        ..HubError::new(kind, address(url), "")
    }
}

/// The proxy wants to know who asks (407).
pub(crate) fn proxy_wants_login(url: &Url, proxy: &str) -> HubError {
    let detail = format!("the proxy {proxy} wants a user and a password in its address");
    HubError::new(SourceErrorKind::Proxy, address(url), detail)
}

/// The headers did not come in time.
pub(crate) fn no_headers(url: &Url) -> HubError {
    HubError::new(
        SourceErrorKind::HeadersTimeout,
        address(url),
        "no answer in time",
    )
}

/// An answer that was not used because it makes no sense.
pub(crate) fn nonsense(url: &Url, detail: impl Into<String>) -> HubError {
    HubError::new(SourceErrorKind::BadUpstream, address(url), detail)
}

/// A header as text.
pub(crate) fn text<'headers>(headers: &'headers HeaderMap, name: &str) -> Option<&'headers str> {
    headers.get(name)?.to_str().ok()
}

/// A server's words without control characters and without end.
pub(crate) fn clean(message: &str) -> String {
    message
        .chars()
        .filter(|character| !character.is_control())
        .take(MAX_MESSAGE_CHARACTERS)
        .collect()
}

/// The last cause, in its own words: the ones above only repeat that the request failed.
fn deepest(error: &(dyn Error + 'static)) -> String {
    let mut current = error;
    while let Some(below) = below(current) {
        current = below;
    }
    current.to_string()
}

/// The first cause of a type. An [`io::Error`] made from another error hides it from `source()`.
fn find<'error, Cause: Error + 'static>(
    error: &'error (dyn Error + 'static),
) -> Option<&'error Cause> {
    let mut current = Some(error);
    while let Some(error) = current {
        if let Some(found) = error.downcast_ref::<Cause>() {
            return Some(found);
        }
        current = below(error);
    }
    None
}

fn below<'error>(error: &'error (dyn Error + 'static)) -> Option<&'error (dyn Error + 'static)> {
    match error
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref)
    {
        Some(inside) => Some(inside),
        None => error.source(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_of_the_hub_is_told_apart() {
        use HubErrorKind::{Denied, Missing as NotThere, Transfer};
        for (status, code, has_token, kind) in [
            (
                401,
                Some("RepoNotFound"),
                false,
                Denied(Denial::PrivateOrMissing),
            ),
            (
                404,
                Some("RepoNotFound"),
                true,
                NotThere(Missing::Repository),
            ),
            (
                401,
                Some("GatedRepo"),
                false,
                Denied(Denial::GatedWithoutToken),
            ),
            (403, Some("GatedRepo"), true, Denied(Denial::Gated)),
            (403, None, true, Denied(Denial::Forbidden)),
            (401, None, true, Denied(Denial::BadToken)),
            (
                404,
                Some("RevisionNotFound"),
                true,
                NotThere(Missing::Revision),
            ),
            (404, Some("EntryNotFound"), false, NotThere(Missing::File)),
            (404, None, false, NotThere(Missing::Revision)),
            (429, None, true, Transfer(SourceErrorKind::RateLimited)),
            (302, None, true, Transfer(SourceErrorKind::TooManyRedirects)),
            (503, None, true, Transfer(SourceErrorKind::Status(503))),
            (407, None, true, Transfer(SourceErrorKind::Proxy)),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            let seen = kind_of_status(status, code, has_token, Missing::Revision.into());
            assert_eq!(seen, kind, "{status} {code:?}");
        }
    }

    #[test]
    fn an_address_in_a_log_has_no_query() {
        let url = Url::parse("https://cdn.example:444/a/b?Signature=secret").unwrap();
        assert_eq!(address(&url), "cdn.example:444/a/b");
    }

    #[test]
    fn a_servers_message_cannot_reach_a_terminal() {
        assert_eq!(clean("a\u{1b}]0;x\u{7}b\nc"), "a]0;xbc");
    }
}
