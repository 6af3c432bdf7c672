//! Whose certificate a client talks to: every connection is checked, that of an event stream too.

use std::{fs, sync::Arc};

use futures_util::StreamExt;
use hive_api::Fingerprint;
use hive_client::{
    CertificateProblem, ClientError, Endpoint, Followed, HiveClient, HttpEndpoint, HttpProxy, Trust,
};
use rcgen::{CertificateParams, DnType, KeyPair, date_time_ymd};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, pki_types::PrivateKeyDer},
};
use url::Url;

use crate::{
    scripted::{answer, event_stream, job, json, snapshot},
    tunnel::Tunnel,
};

/// A certificate for this name that ends with that year, and its key.
struct Identity {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

impl Identity {
    fn new(name: &str, last_year: i32) -> Self {
        let mut wanted = CertificateParams::new([name.to_owned()]).unwrap();
        wanted.not_before = date_time_ymd(2000, 1, 1);
        wanted.not_after = date_time_ymd(last_year, 12, 31);
        let key = KeyPair::generate().unwrap();
        // No two have the same name as issuers.
        let issuer = Fingerprint::of_certificate(key.public_key_raw());
        wanted
            .distinguished_name
            .push(DnType::CommonName, issuer.to_string());
        let certificate = wanted.self_signed(&key).unwrap();
        Self { certificate, key }
    }

    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of_certificate(self.certificate.der())
    }

    /// Shows this certificate with this key.
    fn acceptor(&self, key: &KeyPair) -> TlsAcceptor {
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
        let chain = vec![self.certificate.der().clone()];
        let signing = provider.key_provider.load_private_key(key).unwrap();
        let certified = tokio_rustls::rustls::sign::CertifiedKey::new(chain, signing);
        let resolver = tokio_rustls::rustls::sign::SingleCertAndKey::from(certified);
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(resolver));
        TlsAcceptor::from(Arc::new(config))
    }
}

/// A port where each connection is answered with the next certificate and the next bytes.
struct Port {
    number: u16,
    _task: JoinSet<()>,
}

impl Port {
    async fn open(answers: Vec<(TlsAcceptor, String)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let number = listener.local_addr().unwrap().port();
        let mut task = JoinSet::new();
        task.spawn(async move {
            for (acceptor, bytes) in answers {
                let (stream, _) = listener.accept().await.unwrap();
                answer_over_tls(&acceptor, stream, &bytes).await;
            }
        });
        Self {
            number,
            _task: task,
        }
    }

    fn client(&self, trust: Trust) -> HiveClient {
        self.client_through(None, trust)
    }

    fn client_through(&self, proxy: Option<HttpProxy>, trust: Trust) -> HiveClient {
        let url = format!("https://localhost:{}", self.number);
        let endpoint = HttpEndpoint {
            url: Url::parse(&url).unwrap(),
            token: Some("the-token".to_owned().into()),
            trust,
            proxy,
        };
        HiveClient::connect(&Endpoint::Http(endpoint)).unwrap()
    }
}

/// A client that refuses the certificate is gone before the request.
async fn answer_over_tls(acceptor: &TlsAcceptor, stream: TcpStream, bytes: &str) {
    let Ok(mut stream) = acceptor.accept(stream).await else {
        return;
    };
    if stream.read(&mut [0; 4096]).await.is_ok_and(|read| read > 0) {
        let _ = stream.write_all(bytes.as_bytes()).await;
        let _ = stream.shutdown().await;
    }
}

#[tokio::test]
async fn with_a_pin_neither_name_nor_date_nor_issuer_counts() {
    let identity = Identity::new("another.name", 2001);
    let acceptor = identity.acceptor(&identity.key);
    let answers = vec![
        (acceptor.clone(), json("200 OK", &job())),
        (acceptor, event_stream(&[snapshot(2)])),
    ];
    let port = Port::open(answers).await;
    let client = port.client(Trust::Pin(identity.fingerprint()));
    assert_eq!(client.job(job().job_id).await.unwrap(), job());
    let first = client.follow(job().job_id).next().await.unwrap().unwrap();
    assert!(matches!(first, Followed::Event { id: 2, .. }), "{first:?}");
}

#[tokio::test]
async fn through_a_named_proxy_the_pin_holds_and_the_proxy_learns_no_token() {
    let identity = Identity::new("another.name", 2001);
    let acceptor = identity.acceptor(&identity.key);
    let port = Port::open(vec![(acceptor, json("200 OK", &job()))]).await;
    let tunnel = Tunnel::open(Some(port.number)).await;
    let proxy = format!("http://alice:secret@127.0.0.1:{}", tunnel.port);
    let proxy = Some(proxy.parse().unwrap());
    let client = port.client_through(proxy, Trust::Pin(identity.fingerprint()));
    assert_eq!(client.job(job().job_id).await.unwrap(), job());
    let told = tunnel.told().concat().to_lowercase();
    let connect = format!("connect localhost:{}", port.number);
    assert!(told.starts_with(&connect), "{told}");
    assert!(told.contains("proxy-authorization: basic"), "{told}");
    assert!(!told.contains("the-token"), "{told}");
}

#[tokio::test]
async fn a_proxy_that_refuses_is_named_without_its_password() {
    let tunnel = Tunnel::open(None).await;
    let port = Port::open(Vec::new()).await;
    let proxy = format!("http://alice:secret@127.0.0.1:{}", tunnel.port);
    let client = port.client_through(Some(proxy.parse().unwrap()), Trust::SystemRoots);
    let refused = client.job(job().job_id).await.unwrap_err();
    assert!(
        matches!(refused, ClientError::Unreachable { .. }),
        "{refused:?}"
    );
    let told = format!("{refused} {refused:?}");
    let named = format!("through the proxy http://127.0.0.1:{}", tunnel.port);
    assert!(told.contains(&named), "{told}");
    assert!(!told.contains("secret"), "{told}");
}

#[tokio::test]
async fn another_certificate_is_refused_with_both_fingerprints() {
    let (pinned, shown) = (
        Identity::new("localhost", 2090),
        Identity::new("localhost", 2090),
    );
    let acceptor = shown.acceptor(&shown.key);
    let port = Port::open(vec![(acceptor.clone(), String::new()); 2]).await;
    let client = port.client(Trust::Pin(pinned.fingerprint()));
    let request = client.job(job().job_id).await.unwrap_err();
    let stream = client.follow(job().job_id).next().await.unwrap();
    for error in [request, stream.unwrap_err()] {
        assert!(!error.is_unanswered(), "{error:?}");
        let ClientError::AnotherCertificate {
            pinned: p,
            shown: s,
            ..
        } = error
        else {
            panic!("{error:?}");
        };
        assert_eq!((p, s), (pinned.fingerprint(), shown.fingerprint()));
    }
}

#[tokio::test]
async fn the_pinned_certificate_without_its_key_is_refused() {
    let (pinned, thief) = (
        Identity::new("localhost", 2090),
        Identity::new("localhost", 2090),
    );
    let port = Port::open(vec![(pinned.acceptor(&thief.key), json("200 OK", &job()))]).await;
    let client = port.client(Trust::Pin(pinned.fingerprint()));
    let error = client.job(job().job_id).await.unwrap_err();
    let ClientError::UntrustedCertificate { problem, .. } = error else {
        panic!("{error:?}");
    };
    assert_eq!(problem, CertificateProblem::BadSignature);
}

#[tokio::test]
async fn a_certificate_that_changes_while_a_job_is_followed_ends_the_stream() {
    let (before, after) = (
        Identity::new("localhost", 2090),
        Identity::new("localhost", 2090),
    );
    let port = Port::open(vec![
        (before.acceptor(&before.key), event_stream(&[snapshot(2)])),
        (after.acceptor(&after.key), event_stream(&[snapshot(2)])),
    ])
    .await;
    let client = port.client(Trust::Pin(before.fingerprint()));
    let mut stream = client.follow(job().job_id);
    let event = stream.next().await.unwrap();
    assert!(matches!(event, Ok(Followed::Event { .. })), "{event:?}");
    let lost = stream.next().await.unwrap();
    assert!(
        matches!(lost, Ok(Followed::ConnectionLost { .. })),
        "{lost:?}"
    );
    let refused = stream.next().await.unwrap();
    assert!(
        matches!(refused, Err(ClientError::AnotherCertificate { .. })),
        "{refused:?}"
    );
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn an_authority_of_ones_own_makes_a_current_certificate_of_the_right_name_the_right_one() {
    let folder = TempDir::new().unwrap();
    let trusted = folder.path().join("ca.pem");
    for (name, last_year, is_known, problem) in [
        ("localhost", 2090, true, None),
        (
            "another.name",
            2090,
            true,
            Some(CertificateProblem::WrongName),
        ),
        ("localhost", 2001, true, Some(CertificateProblem::Expired)),
        (
            "localhost",
            2090,
            false,
            Some(CertificateProblem::UnknownIssuer),
        ),
    ] {
        let identity = Identity::new(name, last_year);
        let other = Identity::new(name, last_year);
        let authority = if is_known { &identity } else { &other };
        fs::write(&trusted, authority.certificate.pem()).unwrap();
        let acceptor = identity.acceptor(&identity.key);
        let port = Port::open(vec![(acceptor, json("200 OK", &job()))]).await;
        let client = port.client(Trust::CaFile(trusted.clone()));
        let seen = match client.job(job().job_id).await {
            Ok(_) => None,
            Err(ClientError::UntrustedCertificate { problem, .. }) => Some(problem),
            Err(error) => panic!("{error:?}"),
        };
        assert_eq!(seen, problem, "{name} {last_year} {is_known}");
    }
}

#[test]
fn a_file_of_authorities_that_is_none_is_named() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ca.pem");
    for text in [None, Some(""), Some("no certificate")] {
        if let Some(text) = text {
            fs::write(&path, text).unwrap();
        }
        let endpoint = Endpoint::Http(HttpEndpoint {
            url: Url::parse("https://localhost").unwrap(),
            token: None,
            trust: Trust::CaFile(path.clone()),
            proxy: None,
        });
        let error = HiveClient::connect(&endpoint).unwrap_err();
        assert!(error.to_string().contains("ca.pem"), "{error}");
    }
}

#[tokio::test]
async fn https_where_plain_http_is_spoken_is_said_so_and_not_tried_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let number = listener.local_addr().unwrap().port();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 4096]).await;
            let plain = answer("400 Bad Request", "text/plain", "");
            let _ = stream.write_all(plain.as_bytes()).await;
        }
    });
    let port = Port {
        number,
        _task: tasks,
    };
    let client = port.client(Trust::Pin(Fingerprint::of_certificate(b"")));
    let request = client.job(job().job_id).await.unwrap_err();
    let stream = client.follow(job().job_id).next().await.unwrap();
    for error in [request, stream.unwrap_err()] {
        assert!(matches!(error, ClientError::NotTls { .. }), "{error:?}");
    }
}
