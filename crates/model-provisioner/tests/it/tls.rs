//! A Hub behind TLS: what its certificate has to be, and a connection that is cut before it is one.

use std::{fs, net::SocketAddr, sync::Arc};

use fake_hub::{FakeHub, Repository};
use model_provisioner::{
    HubErrorKind, HubSettings, ProvisionError, ProvisionEvent, RetryCause, RetryEvent,
    SourceErrorKind,
};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, copy_bidirectional};
use tokio::net::TcpStream;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, pki_types::PrivateKeyDer},
};
use tokio_util::sync::CancellationToken;

use crate::harness::{Machine, request, settings};
use crate::proxy::Server;

const MODEL: &str = "datasets/org/data";

async fn hub() -> FakeHub {
    FakeHub::builder()
        .repository(Repository::dataset("org/data").file("data.csv", "a,b\n1,2\n"))
        .start()
        .await
}

/// A certificate for this name that was valid until the end of that year.
fn certificate(name: &str, last_year: i32) -> (rcgen::Certificate, KeyPair) {
    let mut wanted = CertificateParams::new([name.to_owned()]).unwrap();
    wanted.not_before = date_time_ymd(2000, 1, 1);
    wanted.not_after = date_time_ymd(last_year, 12, 31);
    let key = KeyPair::generate().unwrap();
    (wanted.self_signed(&key).unwrap(), key)
}

/// The Hub behind TLS with this certificate.
pub(crate) async fn behind(
    hub: &FakeHub,
    (certificate, key): &(rcgen::Certificate, KeyPair),
) -> Server {
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let plain = hub.endpoint().trim_start_matches("http://").to_owned();
    Server::start(move |stream| {
        let (acceptor, plain) = (acceptor.clone(), plain.clone());
        async move {
            let Ok(mut client) = acceptor.accept(stream).await else {
                return;
            };
            let mut server = TcpStream::connect(plain).await.unwrap();
            let _ = copy_bidirectional(&mut client, &mut server).await;
        }
    })
    .await
}

/// A machine that trusts the certificate of this file and asks the Hub at `localhost`.
fn machine(hub: SocketAddr, trusted: &std::path::Path) -> Machine {
    Machine::with_settings(HubSettings {
        ca_file: Some(trusted.to_owned()),
        ..settings(&format!("https://localhost:{}", hub.port()))
    })
}

#[tokio::test]
async fn d29_a_certificate_that_is_trusted_current_and_of_the_right_name_is_accepted_and_no_other()
{
    let (hub, folder) = (hub().await, TempDir::new().unwrap());
    let trusted = folder.path().join("ca.pem");
    let good = certificate("localhost", 2090);
    for (made, is_trusted, is_accepted) in [
        (&good, true, true),
        (&good, false, false),
        (&certificate("localhost", 2001), true, false),
        (&certificate("other.test", 2090), true, false),
    ] {
        let server = behind(&hub, made).await;
        let vouched = if is_trusted {
            made.0.pem()
        } else {
            certificate("localhost", 2090).0.pem()
        };
        fs::write(&trusted, vouched).unwrap();
        let outcome = machine(server.address, &trusted).download(MODEL).await;
        if is_accepted {
            outcome.result.unwrap();
            continue;
        }
        let story = outcome.story();
        assert!(
            !story.iter().any(|told| told.starts_with("retry")),
            "{story:?}"
        );
        match outcome.failure() {
            ProvisionError::Upstream { kind, .. } => {
                assert_eq!(kind, HubErrorKind::Transfer(SourceErrorKind::Tls));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn d29_a_connection_that_is_cut_in_the_handshake_is_the_networks_and_tried_again() {
    let folder = TempDir::new().unwrap();
    let trusted = folder.path().join("ca.pem");
    fs::write(&trusted, certificate("localhost", 2090).0.pem()).unwrap();
    let server = Server::start(|mut stream| async move {
        // The client's hello has come, and nothing answers it.
        let _ = stream.read_u8().await;
    })
    .await;
    let stop = CancellationToken::new();
    let mut causes = Vec::new();
    let hear = |event: &ProvisionEvent| {
        if let ProvisionEvent::Retry(RetryEvent { cause, tries, .. }) = event {
            causes.push((*cause, *tries));
            stop.cancel();
        }
    };
    machine(server.address, &trusted)
        .run_and_hear(&request(MODEL), &stop, true, hear)
        .await
        .failure();
    let connect = RetryCause::Source(SourceErrorKind::Connect);
    assert_eq!(causes, [(connect, None)]);
}
