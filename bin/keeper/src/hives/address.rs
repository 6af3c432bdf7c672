//! A hive that is named by its address: what to trust there, and that no token goes over the network unencrypted.

use std::{ffi::OsString, path::PathBuf};

use hive_api::ParseFingerprintError;
use hive_client::{HttpEndpoint, HttpProxy, ParseHttpProxyError};
use url::{Host, ParseError, Url};

use super::{ADDRESSES, HiveEntry};
use crate::failure::Failure;

/// Reads the HTTP address of a hive: a host, perhaps a port, and the path of a proxy's site.
pub(super) fn parse(text: &str) -> Result<Url, Failure> {
    const UNKNOWN: &str = "it begins with none of ssh://, https:// and http://";
    let url = Url::parse(text).map_err(|error| match error {
        ParseError::RelativeUrlWithoutBase => refused(text, UNKNOWN),
        error => refused(text, &error.to_string()),
    })?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(refused(text, UNKNOWN));
    }
    if !url.username().is_empty() || url.password().is_some() {
        // What may be a password is not shown again.
        return Err(Failure::usage(
            "a name or a password does not belong in the address of a hive",
            "leave out what stands before the @; a token comes by pairing, or from KEEPER_TOKEN",
        ));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refused(text, "`?` and `#` do not belong in it"));
    }
    Ok(url)
}

/// The failure of an address that is none.
pub(super) fn refused(text: &str, reason: &str) -> Failure {
    let detail = format!("`{text}` is not the address of a hive: {reason}");
    Failure::usage(detail, ADDRESSES)
}

/// Refuses a way on which everyone could read the token that is sent.
pub(super) fn keep_secret(
    endpoint: &HttpEndpoint,
    variable: &impl Fn(&str) -> Option<OsString>,
) -> Result<(), Failure> {
    let HttpEndpoint { url, token, .. } = endpoint;
    let is_allowed = || text(variable, "KEEPER_INSECURE_HTTP").as_deref() == Some("1");
    if token.is_some() && url.scheme() == "http" && !is_this_machine(url) && !is_allowed() {
        return Err(Failure::usage(
            format!("{url} is plain HTTP, and everyone on the way could read the token"),
            "give an https address (hive serve --tls-self-signed), or set KEEPER_INSECURE_HTTP=1",
        ));
    }
    Ok(())
}

/// What a hive is asked through: its entry's proxy, else that of `KEEPER_PROXY`; none for a hive of this machine, and
/// never what `HTTPS_PROXY` names, which is for the rest of the world.
pub(super) fn proxy(
    url: &Url,
    of_entry: Option<&str>,
    variable: &impl Fn(&str) -> Option<OsString>,
) -> Result<Option<HttpProxy>, Failure> {
    if is_this_machine(url) {
        return Ok(None);
    }
    let of_environment = || Some(("KEEPER_PROXY", text(variable, "KEEPER_PROXY")?));
    let named = of_entry.map(|text| ("its proxy in config.toml", text.to_owned()));
    let Some((source, text)) = named.or_else(of_environment) else {
        return Ok(None);
    };
    let parsed = text.parse().map_err(|error: ParseHttpProxyError| {
        // The text may have a password.
        Failure::usage(format!("{source} cannot be used: {error}"), "correct it")
    })?;
    Ok(Some(parsed))
}

/// A hive that no file knows: what to trust there is in the environment.
pub(super) fn entry(
    url: &str,
    variable: &impl Fn(&str) -> Option<OsString>,
) -> Result<HiveEntry, Failure> {
    let plain = HiveEntry::at(url);
    if !url.starts_with("https://") {
        return Ok(plain);
    }
    let pin = text(variable, "KEEPER_PIN");
    let ca_file = text(variable, "KEEPER_CA_FILE");
    if pin.is_some() && ca_file.is_some() {
        return Err(Failure::usage(
            "KEEPER_PIN and KEEPER_CA_FILE are both set",
            "a pin needs no authority: unset one of them",
        ));
    }
    let parsed = pin.as_ref().map(|pin| pin.parse()).transpose();
    let pin = parsed.map_err(|error: ParseFingerprintError| {
        let pin = pin.unwrap_or_default();
        Failure::usage(
            format!("KEEPER_PIN is `{pin}`, and {error}"),
            "the log of hive serve shows it",
        )
    })?;
    Ok(HiveEntry {
        pin,
        ca_file: ca_file.map(PathBuf::from),
        ..plain
    })
}

fn text(variable: &impl Fn(&str) -> Option<OsString>, name: &str) -> Option<String> {
    let value = variable(name)?.to_string_lossy().into_owned();
    (!value.is_empty()).then_some(value)
}

/// Whether what is sent to this address stays on this machine.
fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.to_canonical().is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use hive_api::Fingerprint;
    use hive_client::Trust;
    use secrecy::SecretString;

    use super::*;
    use crate::{
        exit_code,
        hives::{Place, place},
    };

    fn variables<'a>(
        pairs: &'a [(&'a str, &'a str)],
    ) -> impl Fn(&str) -> Option<OsString> + use<'a> {
        |name| {
            let found = pairs.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| OsString::from(value))
        }
    }

    fn reach(url: &str, token: Option<&str>, pairs: &[(&str, &str)]) -> Result<Trust, Failure> {
        let token = token.map(|token| SecretString::from(token.to_owned()));
        let entry = entry(url, &variables(pairs))?;
        match place(&entry, token, &variables(pairs))? {
            Place::Http(endpoint) => Ok(endpoint.trust),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn no_token_goes_over_the_network_in_plain_http_unless_told_so_in_so_many_words() {
        for url in [
            "http://gpu1:7835",
            "http://192.168.1.20",
            "http://localhost.evil/",
        ] {
            let refused = reach(url, Some("secret"), &[]).unwrap_err();
            assert_eq!(refused.exit, exit_code::USAGE, "{url}");
            assert!(!format!("{refused:?}").contains("secret"));
            assert!(reach(url, Some("secret"), &[("KEEPER_INSECURE_HTTP", "0")]).is_err());
            assert!(reach(url, Some("secret"), &[("KEEPER_INSECURE_HTTP", "1")]).is_ok());
            assert!(reach(url, None, &[]).is_ok());
        }
        for url in [
            "http://127.0.0.1:7835",
            "http://localhost:7835",
            "http://[::1]:7835",
            "http://[::ffff:127.0.0.1]",
            "https://gpu1:7835",
        ] {
            assert!(reach(url, Some("secret"), &[]).is_ok(), "{url}");
        }
    }

    #[test]
    fn what_is_more_or_less_than_an_address_is_refused_and_no_password_shown() {
        for (text, why) in [
            ("gpu1", "begins with none of"),
            ("127.0.0.1:7835", "begins with none of"),
            ("gpu1:7835", "begins with none of"),
            ("https://", "empty host"),
            ("https://gpu1:99999", "invalid port"),
            ("https://gpu1/?token=1", "do not belong"),
            ("https://gpu1/#jobs", "do not belong"),
            ("https://alice:secret@gpu1", "a password does not belong"),
            ("https://alice@gpu1", "a password does not belong"),
        ] {
            let refused = parse(text).unwrap_err();
            assert_eq!(refused.exit, exit_code::USAGE, "{text}");
            assert!(refused.problem.detail.contains(why), "{refused:?}");
            assert!(!format!("{refused:?}").contains("secret"));
        }
        for text in [
            "https://gpu1",
            "http://[::1]:7835/",
            "https://example.org/hive",
        ] {
            assert!(parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn a_proxy_is_used_where_one_is_named_for_keeper_and_the_hive_is_elsewhere() {
        let through = |url: &str, of_entry, pairs: &[(&str, &str)]| {
            let url = Url::parse(url).unwrap();
            let proxy = proxy(&url, of_entry, &variables(pairs))?;
            Ok::<_, Failure>(proxy.map(|proxy| proxy.to_string()))
        };
        let everyone = [
            ("HTTPS_PROXY", "http://p:1"),
            ("https_proxy", "http://p:1"),
            ("ALL_PROXY", "http://p:1"),
        ];
        assert_eq!(through("https://gpu1", None, &everyone).unwrap(), None);
        let ours = [("KEEPER_PROXY", "http://alice:secret@p:2")];
        let named = Some("http://p:2".to_owned());
        assert_eq!(through("https://gpu1", None, &ours).unwrap(), named);
        let of_entry = Some("http://p:3");
        let nearer = Some("http://p:3".to_owned());
        assert_eq!(through("https://gpu1", of_entry, &ours).unwrap(), nearer);
        assert_eq!(through("http://127.0.0.1:7835", None, &ours).unwrap(), None);
        let bad = [("KEEPER_PROXY", "socks5://alice:secret@p")];
        let refused = through("https://gpu1", None, &bad).unwrap_err();
        assert_eq!(refused.exit, exit_code::USAGE);
        assert!(!format!("{refused:?}").contains("secret"));
    }

    #[test]
    fn the_environment_says_what_to_trust_at_an_https_address() {
        let pin = Fingerprint::of_certificate(b"");
        let text = pin.to_string();
        let by_pin = [("KEEPER_PIN", text.as_str())];
        let by_file = [("KEEPER_CA_FILE", "/etc/ca.pem")];
        let at = |pairs: &[(&str, &str)]| reach("https://gpu1:7835", None, pairs);
        assert_eq!(at(&[]).unwrap(), Trust::SystemRoots);
        assert_eq!(at(&by_pin).unwrap(), Trust::Pin(pin));
        assert_eq!(at(&by_file).unwrap(), Trust::CaFile("/etc/ca.pem".into()));
        for bad in [&[by_pin[0], by_file[0]][..], &[("KEEPER_PIN", "sha256:1")]] {
            assert_eq!(at(bad).unwrap_err().exit, exit_code::USAGE);
        }
        let plain = reach("http://127.0.0.1:7835", None, &by_pin).unwrap();
        assert_eq!(plain, Trust::SystemRoots);
    }
}
