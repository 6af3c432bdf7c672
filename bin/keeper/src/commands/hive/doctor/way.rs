//! The way to a hive behind an address: its name, its port, what it shows there, its clock, and whether streams pass.

use std::{net::SocketAddr, time::Duration};

use hive_api::Finding;
use hive_client::{ClientError, Contact, HttpEndpoint, StreamCheck, Trust};
use jiff::{SignedDuration, Timestamp};
use tokio::{
    net::{TcpStream, lookup_host},
    time::{Instant, timeout},
};
use url::{Host, Url};

use super::{days_until, is_missing, sheet::Sheet, too_old};
use crate::{exit_code, failure::Failure, hives::Hive, ui::format};

/// A resolver that takes longer does not answer.
const LOOK_UP_LIMIT: Duration = Duration::from_secs(5);
/// Of all addresses together.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// A name with more addresses is not tried further.
const MOST_ADDRESSES: usize = 8;
/// Clocks that are further apart end tokens early or late, and make logs hard to compare.
const CLOCKS_APART: SignedDuration = SignedDuration::from_secs(30);
/// Dates of answers have whole seconds.
const CLOCKS_TOGETHER: SignedDuration = SignedDuration::from_secs(2);
/// A certificate that ends sooner is to be renewed.
const FEW_DAYS: i64 = 14;

/// What to do where nobody listens at a hive's address.
pub(super) const HIVE_CLOSED: &str = "check there that hive serve listens on it (--listen), and the firewall on the way \
                                      (docs/OPERATIONS.md#port)";
/// The same for the proxy on the way to it.
pub(super) const PROXY_CLOSED: &str = "start the proxy, or correct its address: proxy in config.toml, KEEPER_PROXY \
                                       (docs/OPERATIONS.md#port)";

/// Whether the name leads somewhere and somebody listens there; `next` is what to do where nobody does.
pub(super) async fn is_open(url: &Url, next: &str, sheet: &mut Sheet<'_>) -> bool {
    let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else {
        return true;
    };
    let addresses = match host {
        Host::Ipv4(address) => vec![SocketAddr::from((address, port))],
        Host::Ipv6(address) => vec![SocketAddr::from((address, port))],
        Host::Domain(name) => match look_up(name, port, sheet).await {
            Some(addresses) => addresses,
            None => return false,
        },
    };
    match connect(&addresses).await {
        Ok(took) => {
            let took = format::duration(took);
            sheet.tell(Finding::ok("port", format!("{port} open, {took}")));
            true
        }
        Err(why) => {
            let finding = Finding::fail("port", format!("{port} is closed: {why}"), next);
            sheet.tell_with(finding, exit_code::UNREACHABLE);
            false
        }
    }
}

async fn look_up(name: &str, port: u16, sheet: &mut Sheet<'_>) -> Option<Vec<SocketAddr>> {
    let began = Instant::now();
    let found = timeout(LOOK_UP_LIMIT, lookup_host((name, port))).await;
    let why = match found {
        Ok(Ok(found)) => {
            let addresses: Vec<SocketAddr> = found.take(MOST_ADDRESSES).collect();
            if let Some(first) = addresses.first() {
                let took = format::duration(began.elapsed());
                let more = match addresses.len() {
                    1 => String::new(),
                    many => format!(" and {} more", many - 1),
                };
                let ip = first.ip();
                sheet.tell(Finding::ok("name", format!("{name} is {ip}{more}, {took}")));
                return Some(addresses);
            }
            "it has no address".to_owned()
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer within {} s", LOOK_UP_LIMIT.as_secs()),
    };
    let next =
        "check the spelling, the DNS and /etc/hosts of this machine (docs/OPERATIONS.md#name)";
    let finding = Finding::fail("name", format!("{name} is not found: {why}"), next);
    sheet.tell_with(finding, exit_code::UNREACHABLE);
    None
}

/// How long one of the addresses took to take a connection, or why none did.
async fn connect(addresses: &[SocketAddr]) -> Result<Duration, String> {
    let began = Instant::now();
    match timeout(CONNECT_LIMIT, TcpStream::connect(addresses)).await {
        Ok(Ok(_)) => Ok(began.elapsed()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {} s", CONNECT_LIMIT.as_secs())),
    }
}

/// Whether what answers there is the hive that is meant, and what time it is there.
pub(super) async fn contact(hive: &Hive, endpoint: &HttpEndpoint, sheet: &mut Sheet<'_>) -> bool {
    match hive.client.contact().await {
        Ok(contact) => {
            sheet.tell(tls(endpoint, &contact, Timestamp::now()));
            sheet.tell(clock(&contact));
            true
        }
        Err(error) => {
            let failure = Failure::of_client(hive, &error);
            let check = match error {
                ClientError::AnotherCertificate { .. }
                | ClientError::UntrustedCertificate { .. }
                | ClientError::NotTls { .. } => "tls",
                _ => "answer",
            };
            sheet.failed(check, &failure);
            false
        }
    }
}

fn tls(endpoint: &HttpEndpoint, contact: &Contact, now: Timestamp) -> Finding {
    let is_here = match endpoint.url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.to_canonical().is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    if endpoint.url.scheme() == "http" {
        let next = "hive serve --tls-self-signed there, then hive pair (docs/OPERATIONS.md#tls)";
        return if is_here {
            Finding::ok("tls", "none, and nothing leaves this machine")
        } else {
            Finding::warn("tls", "none: everyone on the way can read the token", next)
        };
    }
    let matches = match &endpoint.trust {
        Trust::Pin(_) => "certificate matches the pin".to_owned(),
        Trust::CaFile(file) => format!("certificate signed by {}", file.display()),
        Trust::SystemRoots => "certificate signed by an authority of the system".to_owned(),
    };
    let end = contact
        .certificate
        .as_ref()
        .and_then(|shown| shown.not_after);
    let Some(days) = end.map(|end| days_until(end, now)) else {
        return Finding::ok("tls", matches);
    };
    let found = format!("{matches}, {days} days left");
    // With a pin the dates of a certificate do not count.
    if days < FEW_DAYS && !matches!(endpoint.trust, Trust::Pin(_)) {
        let next = "renew it there and reload the hive, or the proxy before it (docs/OPERATIONS.md#rotate)";
        return Finding::warn("tls", found, next);
    }
    Finding::ok("tls", found)
}

fn clock(contact: &Contact) -> Finding {
    let Some(ahead) = contact.clock_ahead else {
        let next = "have the proxy in between pass the header Date on";
        return Finding::skip("clock", "the answer tells no time", next);
    };
    let apart = ahead.abs();
    if apart < CLOCKS_TOGETHER {
        return Finding::ok("clock", "less than 2 s apart");
    }
    let side = if ahead.is_negative() {
        "behind"
    } else {
        "ahead"
    };
    let apart_by = format::whole_duration(apart.as_secs().unsigned_abs());
    let found = format!("the clock there is {apart_by} {side}");
    if apart >= CLOCKS_APART {
        let next = "have both machines set their clocks: timedatectl set-ntp true (docs/OPERATIONS.md#clock)";
        return Finding::warn("clock", found, next);
    }
    Finding::ok("clock", found)
}

/// Whether events come as they are sent.
pub(super) async fn stream(hive: &Hive, sheet: &mut Sheet<'_>) {
    match judged(hive.client.check_stream().await) {
        Ok(finding) => sheet.tell(finding),
        Err(error) => sheet.failed("stream", &Failure::of_client(hive, &error)),
    }
}

fn judged(checked: Result<StreamCheck, ClientError>) -> Result<Finding, ClientError> {
    match checked {
        Ok(check) => Ok(passes(&check)),
        Err(error) if is_missing(&error) => Ok(too_old("stream")),
        Err(ClientError::TimedOut { limit, .. }) => {
            let limit = limit.as_secs();
            Ok(held_back(format!(
                "not all events came within {limit} s: something on the way holds them back"
            )))
        }
        Err(error) => Err(error),
    }
}

fn passes(check: &StreamCheck) -> Finding {
    if check.is_held_back() {
        let (sent, came) = (check.sent_over.as_secs_f64(), check.came_over.as_secs_f64());
        let events = check.events;
        return held_back(format!(
            "{events} events sent over {sent:.1} s came within {came:.1} s: something on the way holds them back"
        ));
    }
    let late = format::duration(check.held_back);
    Finding::ok(
        "stream",
        format!("events come as they are sent, none later than {late}"),
    )
}

fn held_back(found: String) -> Finding {
    let next = "nginx: proxy_buffering off (docs/OPERATIONS.md#nginx); another proxy: have it pass \
                text/event-stream on at once (docs/OPERATIONS.md#stream)";
    Finding::fail("stream", found, next)
}

#[cfg(test)]
mod tests {
    use hive_api::{FindingLevel, Fingerprint};
    use hive_client::ShownCertificate;

    use super::*;

    fn contact(ahead: i64) -> Contact {
        Contact {
            round_trip: Duration::from_millis(2),
            clock_ahead: Some(SignedDuration::from_secs(ahead)),
            certificate: Some(ShownCertificate {
                fingerprint: Fingerprint::of_certificate(b""),
                not_after: Some("2026-12-01T00:00:00Z".parse().unwrap()),
            }),
        }
    }

    #[test]
    fn clocks_half_a_minute_apart_are_a_warning_either_way() {
        assert!(clock(&contact(0)).is(FindingLevel::Ok));
        assert!(clock(&contact(29)).is(FindingLevel::Ok));
        for (seconds, side) in [(31, "ahead"), (-31, "behind")] {
            let finding = clock(&contact(seconds));
            assert!(finding.is(FindingLevel::Warn), "{finding:?}");
            assert_eq!(finding.found, format!("the clock there is 31 s {side}"));
        }
        let timeless = Contact {
            clock_ahead: None,
            ..contact(0)
        };
        assert!(clock(&timeless).is(FindingLevel::Skip));
    }

    #[tokio::test(start_paused = true)]
    async fn a_port_that_keeps_silent_is_not_waited_for() {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1).unwrap();
        let address = [listener.local_addr().unwrap()];
        // Nobody takes these, and when they are too many the system answers no further one.
        let wait = Duration::from_secs(1);
        let try_one = || std::net::TcpStream::connect_timeout(&address[0], wait);
        let _waiting: Vec<_> = std::iter::from_fn(|| try_one().ok()).collect();
        let why = connect(&address).await.unwrap_err();
        assert_eq!(why, "no answer within 5 s");
    }

    #[test]
    fn a_stream_of_which_not_all_comes_is_held_back_too() {
        let (hive, limit) = ("gpu1".to_owned(), Duration::from_secs(20));
        let finding = judged(Err(ClientError::TimedOut { hive, limit })).unwrap();
        assert!(finding.is(FindingLevel::Fail), "{finding:?}");
        assert!(finding.next.unwrap().contains("proxy_buffering off"));
    }

    #[test]
    fn a_certificate_that_ends_soon_is_a_warning_unless_it_is_pinned() {
        let at = |url: &str, trust: Trust| {
            let endpoint = HttpEndpoint {
                url: url.parse().unwrap(),
                token: None,
                trust,
                proxy: None,
            };
            tls(
                &endpoint,
                &contact(0),
                "2026-11-21T00:00:00Z".parse().unwrap(),
            )
        };
        let pin = Trust::Pin(Fingerprint::of_certificate(b""));
        let pinned = at("https://gpu1", pin);
        assert_eq!(
            pinned,
            Finding::ok("tls", "certificate matches the pin, 10 days left")
        );
        assert!(at("https://gpu1", Trust::SystemRoots).is(FindingLevel::Warn));
        assert!(at("http://gpu1", Trust::SystemRoots).is(FindingLevel::Warn));
        assert!(at("http://127.0.0.1", Trust::SystemRoots).is(FindingLevel::Ok));
    }
}
