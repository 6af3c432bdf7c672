//! TCP addresses that speak TLS: whose certificate, to whom, and what plain HTTP is told.

use std::{fs, net::SocketAddr, os::unix::fs::PermissionsExt, path::Path, sync::Arc};

use fake_hub::FakeHub;
use hive::{NamedFile, TlsConfig};
use hive_api::Fingerprint;
use rcgen::{CertificateParams, KeyPair};
use reqwest::{Certificate, Client};
use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use crate::{
    events::Frames,
    running_hive::{LIMIT, RunningHive, raw},
};

/// A hive with a certificate of its own, and a client that trusts it.
async fn self_signed() -> (RunningHive, Client) {
    let hub = FakeHub::builder().start().await;
    let hive = RunningHive::start_with(hub, |config| {
        config.tls = Some(TlsConfig::SelfSigned);
    })
    .await;
    let pem = fs::read(hive.socket().with_file_name("tls-cert.pem")).unwrap();
    (hive, trusting(&pem))
}

fn trusting(pem: &[u8]) -> Client {
    Client::builder()
        .tls_certs_only([Certificate::from_pem(pem).unwrap()])
        .timeout(LIMIT)
        .no_proxy()
        .build()
        .unwrap()
}

fn https(hive: &RunningHive, path: &str) -> String {
    format!("https://{}{path}", hive.address)
}

/// A certificate for these names in two files.
struct Files {
    folder: TempDir,
}

impl Files {
    fn new(names: &[&str]) -> Self {
        let files = Self {
            folder: TempDir::new().unwrap(),
        };
        files.renew(names);
        files
    }

    fn renew(&self, names: &[&str]) {
        let key = KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let made = CertificateParams::new(names).unwrap();
        self.write("cert.pem", &made.self_signed(&key).unwrap().pem());
        self.write("key.pem", &key.serialize_pem());
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn certificate(&self) -> Vec<u8> {
        fs::read(self.folder.path().join("cert.pem")).unwrap()
    }

    fn config(&self) -> TlsConfig {
        let named = |setting: &str, file: &str| NamedFile {
            setting: setting.to_owned(),
            path: self.folder.path().join(file),
        };
        TlsConfig::Given {
            certificate: named("--tls-cert", "cert.pem"),
            key: named("--tls-key", "key.pem"),
        }
    }
}

async fn with_files(files: &Files) -> RunningHive {
    let hub = FakeHub::builder().start().await;
    RunningHive::start_with(hub, |config| config.tls = Some(files.config())).await
}

#[tokio::test]
async fn the_hives_own_certificate_is_for_this_machine_and_told_by_its_fingerprint() {
    let (hive, client) = self_signed().await;
    let port = hive.address.port();
    for host in ["127.0.0.1", "localhost"] {
        let url = format!("https://{host}:{port}/v1/hive");
        let answer = client.get(url).bearer_auth(&hive.token).send().await;
        let info: Value = answer.unwrap().json().await.unwrap();
        let pem = fs::read(hive.socket().with_file_name("tls-cert.pem")).unwrap();
        let der = rustls::pki_types::pem::PemObject::from_pem_slice(&pem);
        let der: rustls::pki_types::CertificateDer = der.unwrap();
        let expected = Fingerprint::of_certificate(&der).to_string();
        assert_eq!(info["tls"]["fingerprint"], expected);
        assert_eq!(info["tls"]["self_signed"], true);
    }
    let key = hive.socket().with_file_name("tls-key.pem");
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&key), 0o600);
    hive.stop().await;
}

#[tokio::test]
async fn over_tls_every_request_needs_the_token_and_the_cookie_is_secure() {
    let (hive, client) = self_signed().await;
    let stranger = client.get(https(&hive, "/v1/hive")).send().await.unwrap();
    assert_eq!(stranger.status(), 401);
    let session = client.post(https(&hive, "/v1/session"));
    let opened = session.bearer_auth(&hive.token).send().await.unwrap();
    let cookie = opened.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(cookie.contains("; Secure;"), "{cookie}");
    hive.stop().await;
}

#[tokio::test]
async fn plain_http_is_told_to_use_https() {
    let (hive, _) = self_signed().await;
    let request = format!(
        "POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\
         Content-Length: 2\r\n\r\n{{}}",
        hive.token
    );
    let answer = raw(hive.address, &request).await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(
        answer.contains("\"https_required\"") && answer.contains("https://"),
        "{answer}"
    );
    hive.stop().await;
}

#[tokio::test]
async fn the_unix_socket_stays_plain() {
    let (hive, _) = self_signed().await;
    let socket = Client::builder().unix_socket(hive.socket()).timeout(LIMIT);
    let socket = socket.no_proxy().build().unwrap();
    let answer = socket.get("http://hive/v1/hive").send().await.unwrap();
    assert_eq!(answer.status(), 200);
    hive.stop().await;
}

#[tokio::test]
async fn t13_a_handshake_that_is_not_finished_is_closed() {
    let hub = FakeHub::builder().start().await;
    let hive = RunningHive::start_with(hub, |config| {
        config.tls = Some(TlsConfig::SelfSigned);
        config.connections.header_timeout = std::time::Duration::from_millis(200);
    })
    .await;
    // Nothing, the beginning of a record, and the beginning of a request.
    for half in [&b""[..], &[22, 3, 1, 2, 0, 1], b"GET /v1"] {
        let mut stream = TcpStream::connect(hive.address).await.unwrap();
        stream.write_all(half).await.unwrap();
        let read = timeout(LIMIT, stream.read(&mut [0; 1])).await.unwrap();
        assert!(matches!(read, Ok(0) | Err(_)), "{half:?}");
    }
    // A whole handshake, and nothing after it.
    let pem = fs::read(hive.socket().with_file_name("tls-cert.pem")).unwrap();
    let mut stream = connect(hive.address, &pem).await;
    let read = timeout(LIMIT, stream.read(&mut [0; 1])).await.unwrap();
    assert!(matches!(read, Ok(0) | Err(_)));
    hive.stop().await;
}

/// A connection with its handshake done.
async fn connect(address: SocketAddr, pem: &[u8]) -> tokio_rustls::client::TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    let der = rustls::pki_types::pem::PemObject::from_pem_slice(pem);
    roots.add(der.unwrap()).unwrap();
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let stream = TcpStream::connect(address).await.unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    connector.connect(name, stream).await.unwrap()
}

#[tokio::test]
async fn a_name_of_the_certificate_is_accepted_as_host() {
    let files = Files::new(&["localhost", "127.0.0.1", "gpu1.lan", "*.cluster.example"]);
    let hive = with_files(&files).await;
    let client = trusting(&files.certificate());
    for (host, status) in [
        ("gpu1.lan", 200),
        ("a.cluster.example", 200),
        ("cluster.example", 403),
        ("evil.example", 403),
    ] {
        let request = client.get(https(&hive, "/v1/hive")).header("host", host);
        let answer = request.bearer_auth(&hive.token).send().await.unwrap();
        assert_eq!(answer.status(), status, "{host}");
    }
    hive.stop().await;
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_to_new_connections_and_cuts_none() {
    let files = Files::new(&["127.0.0.1"]);
    let hive = with_files(&files).await;
    let _held = hive.hub.hold_api();
    let before = trusting(&files.certificate());
    let stream = before.get(https(&hive, "/v1/events"));
    let stream = stream.bearer_auth(&hive.token).send().await.unwrap();
    let mut stream = Frames::of(stream);
    stream.next_text().await.unwrap();

    files.renew(&["127.0.0.1"]);
    hive.hive.reload().await;
    let after = trusting(&files.certificate());
    let answer = after.get(https(&hive, "/healthz")).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let anew = trusting(&files.certificate());
    for spoilt in ["cert.pem", "key.pem"] {
        files.write(spoilt, "nothing");
        hive.hive.reload().await;
        let answer = anew.get(https(&hive, "/healthz")).send().await.unwrap();
        assert_eq!(answer.status(), 200, "a bad pair leaves the old one");
    }
    let frame = stream.next_text().await;
    assert!(frame.is_some(), "an open connection goes on");
    hive.stop().await;
}
