//! The way to the Hub over a proxy, with certificates of one's own.

use std::{
    fs,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use fake_hub::{Account, FakeHub, Repository};
use model_provisioner::{
    HubErrorKind, HubSettings, HubToken, ProvisionError, Proxies, SourceErrorKind,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use crate::harness::{Machine, settings};
use crate::tls;

const TOKEN: &str = "hf_good";

/// A server of a test that ends with it.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    _tasks: JoinSet<()>,
}

impl Server {
    pub(crate) async fn start<Serving>(
        serve: impl Fn(TcpStream) -> Serving + Send + 'static,
    ) -> Self
    where
        Serving: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream));
            }
        });
        Self {
            address,
            _tasks: tasks,
        }
    }
}

/// What a proxy was asked, head by head.
type Heads = Arc<Mutex<Vec<String>>>;

/// A proxy that leads every tunnel to `target`, whatever its name; without one it answers `refusal`.
async fn proxy(target: Option<SocketAddr>, refusal: &'static str) -> (Server, Heads) {
    let heads = Heads::default();
    let seen = Arc::clone(&heads);
    let server = Server::start(move |mut client| {
        let seen = Arc::clone(&seen);
        async move {
            let head = read_head(&mut client).await;
            seen.lock().unwrap().push(head);
            let Some(target) = target else {
                // The client may have gone.
                let _ = client.write_all(refusal.as_bytes()).await;
                return;
            };
            let mut server = TcpStream::connect(target).await.unwrap();
            let _ = client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
            let _ = copy_bidirectional(&mut client, &mut server).await;
        }
    })
    .await;
    (server, heads)
}

async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(head).unwrap()
}

/// The Hub behind TLS, as `hub.test`; writes the certificate to trust into `folder`.
async fn https(hub: &FakeHub, folder: &TempDir) -> Server {
    let made = rcgen::generate_simple_self_signed(["hub.test".to_owned()]).unwrap();
    fs::write(folder.path().join("ca.pem"), made.cert.pem()).unwrap();
    tls::behind(hub, &(made.cert, made.signing_key)).await
}

async fn hub() -> FakeHub {
    FakeHub::builder()
        .repository(Repository::dataset("org/data").file("data.csv", "a,b\n1,2\n"))
        .account(Account::new("alice", TOKEN))
        .start()
        .await
}

fn over(variable: &str, proxy: SocketAddr, endpoint: &str) -> HubSettings {
    let lookup = |name: &str| (name == variable).then(|| format!("http://{proxy}"));
    HubSettings {
        token: Some(HubToken::new(TOKEN.to_owned(), "a test")),
        proxies: Proxies::discover(lookup).unwrap(),
        ..settings(endpoint)
    }
}

fn proxy_error(error: ProvisionError) -> String {
    match error {
        ProvisionError::Upstream { kind, detail, .. } => {
            let expected = HubErrorKind::Transfer(SourceErrorKind::Proxy);
            assert_eq!(kind, expected, "{detail}");
            detail
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn d30_a_download_goes_through_a_tunnel_and_the_proxy_sees_no_token() {
    let (hub, folder) = (hub().await, TempDir::new().unwrap());
    let https = https(&hub, &folder).await;
    let (proxy, heads) = proxy(Some(https.address), "").await;
    let machine = Machine::with_settings(HubSettings {
        ca_file: Some(folder.path().join("ca.pem")),
        ..over("HTTPS_PROXY", proxy.address, "https://hub.test")
    });
    let published = machine.download("datasets/org/data").await.result.unwrap();
    let content = fs::read_to_string(published.path.join("data.csv")).unwrap();
    assert_eq!(content, "a,b\n1,2\n");
    let heads = heads.lock().unwrap();
    assert!(!heads.is_empty());
    for head in heads.iter() {
        assert!(head.starts_with("CONNECT hub.test:443 "), "{head}");
        assert!(!head.contains(TOKEN), "{head}");
    }
    let asked = hub.api().requests();
    let bearer = Some("Bearer hf_good");
    assert!(
        asked
            .iter()
            .all(|seen| seen.header("authorization") == bearer)
    );
}

#[tokio::test]
async fn d29_a_certificate_that_nobody_vouches_for_fails_at_once() {
    let (hub, folder) = (hub().await, TempDir::new().unwrap());
    let https = https(&hub, &folder).await;
    let (proxy, heads) = proxy(Some(https.address), "").await;
    let machine = Machine::with_settings(over("ALL_PROXY", proxy.address, "https://hub.test"));
    match machine.download("datasets/org/data").await.failure() {
        ProvisionError::Upstream { kind, .. } => {
            assert_eq!(kind, HubErrorKind::Transfer(SourceErrorKind::Tls));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(heads.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn d30_a_proxy_that_is_down_or_refuses_is_named() {
    let forbidden = proxy(None, "HTTP/1.1 403 Forbidden\r\n\r\n").await.0;
    let wants_login = "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n";
    let wants_login = proxy(None, wants_login).await.0;
    let down = {
        let server = proxy(None, "").await.0;
        server.address
    };
    for address in [forbidden.address, wants_login.address, down] {
        let machine = Machine::with_settings(over("HTTPS_PROXY", address, "https://hub.test"));
        let outcome = machine.download("datasets/org/data").await;
        let story = outcome.story();
        assert!(
            !story.contains(&"WaitingForNetwork".to_owned()),
            "{story:?}"
        );
        let detail = proxy_error(outcome.failure());
        assert!(detail.contains(&address.to_string()), "{detail}");
    }
}

#[tokio::test]
async fn d30_a_plain_http_request_over_a_proxy_carries_no_token() {
    let wants_login = "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n";
    let (proxy, heads) = proxy(None, wants_login).await;
    let machine = Machine::with_settings(over("HTTP_PROXY", proxy.address, "http://hub.test"));
    let detail = proxy_error(machine.download("datasets/org/data").await.failure());
    assert!(detail.contains(&proxy.address.to_string()), "{detail}");
    for head in heads.lock().unwrap().iter() {
        assert!(head.starts_with("GET http://hub.test/"), "{head}");
        assert!(!head.contains(TOKEN), "{head}");
    }
}

#[tokio::test]
async fn a_file_without_certificates_is_refused_at_the_start() {
    let folder = TempDir::new().unwrap();
    let empty = folder.path().join("empty.pem");
    fs::write(&empty, "").unwrap();
    for path in [empty, folder.path().join("missing.pem")] {
        let hub = HubSettings {
            ca_file: Some(path.clone()),
            ..settings("https://hub.test")
        };
        let error = crate::harness::setup_error(hub);
        assert!(error.contains(path.to_str().unwrap()), "{error}");
    }
}
