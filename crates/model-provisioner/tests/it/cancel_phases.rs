//! A cancel in the phases that no answer of a Hub can show: before there is a connection, and before there is a lock.
//!
//! The limits of these phases are longer than a test may take, so that only the cancel can end them.

use std::{
    fs::{self, File},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use fake_hub::{FakeHub, Requests};
use model_provisioner::{HubLimits, HubSettings, Notice, ProvisionError, ProvisionEvent};
use tokio::{
    io::AsyncReadExt,
    net::{TcpSocket, TcpStream},
    sync::Notify,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use crate::harness::{LIMIT, Machine, limits, request, settings, tiny};
use crate::proxy::Server;

fn patient(endpoint: &str) -> HubSettings {
    let long = LIMIT * 100;
    HubSettings {
        limits: HubLimits {
            connect: long,
            headers: long,
            tree: long,
            ..limits()
        },
        ..settings(endpoint)
    }
}

/// Cancels a download from `endpoint` when `reached` says so, and expects its end.
async fn cancel_when(endpoint: &str, reached: impl Future<Output = ()>) {
    let machine = Machine::with_settings(patient(endpoint));
    let stop = CancellationToken::new();
    let stopping = async {
        timeout(LIMIT, reached).await.unwrap();
        stop.cancel();
    };
    let model = request("org/tiny");
    let (outcome, ()) = tokio::join!(machine.run(&model, &stop, true), stopping);
    assert!(matches!(outcome.failure(), ProvisionError::Cancelled));
}

/// Ends when a socket of this machine waits for an answer to its first packet to that port.
async fn is_connecting_to(address: SocketAddr) {
    // proc(5), /proc/net/tcp: the third field is the other end in hexadecimal, the fourth the state, 02 for SYN_SENT.
    let port = format!(":{:04X}", address.port());
    loop {
        let sockets = fs::read_to_string("/proc/net/tcp").unwrap();
        let is_ours = |line: &str| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            fields[2].ends_with(&port) && fields[3] == "02"
        };
        if sockets.lines().skip(1).any(is_ours) {
            return;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn d32_a_cancel_while_it_connects_ends_it() {
    let full = TcpSocket::new_v4().unwrap();
    full.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let full = full.listen(1).unwrap();
    let address = full.local_addr().unwrap();
    // Once nobody is accepted and the queue is full, the kernel answers no further connection.
    let mut queue = Vec::new();
    let a_moment = Duration::from_millis(200);
    while let Ok(queued) = timeout(a_moment, TcpStream::connect(address)).await {
        queue.push(queued.unwrap());
    }
    cancel_when(&format!("http://{address}"), is_connecting_to(address)).await;
}

#[tokio::test]
async fn d32_a_cancel_in_the_tls_handshake_ends_it_and_closes_the_connection() {
    let (greeted, closed) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let seen = (Arc::clone(&greeted), Arc::clone(&closed));
    let server = Server::start(move |mut stream| {
        let (greeted, closed) = seen.clone();
        async move {
            let _ = stream.read_u8().await;
            greeted.notify_one();
            let _ = stream.read_to_end(&mut Vec::new()).await;
            closed.notify_one();
        }
    })
    .await;
    let endpoint = format!("https://localhost:{}", server.address.port());
    cancel_when(&endpoint, greeted.notified()).await;
    timeout(LIMIT, closed.notified()).await.unwrap();
}

#[tokio::test]
async fn d32_a_cancel_while_another_program_holds_the_lock_ends_it() {
    let hub = FakeHub::builder().repository(tiny()).start().await;
    let machine = Machine::new(&hub);
    let folder = machine.store.join(".locks/models--org--tiny");
    fs::create_dir_all(&folder).unwrap();
    let repository = tiny();
    let etag = repository.etag("tiny-Q4_K_M.gguf").unwrap();
    let held = File::create(folder.join(format!("{etag}.lock"))).unwrap();
    held.try_lock().unwrap();
    let stop = CancellationToken::new();
    let hear = |event: &ProvisionEvent| {
        if matches!(
            event,
            ProvisionEvent::Notice(Notice::WaitsForOtherDownload { .. })
        ) {
            stop.cancel();
        }
    };
    let outcome = machine
        .run_and_hear(&request("org/tiny"), &stop, true, hear)
        .await;
    assert!(matches!(outcome.failure(), ProvisionError::Cancelled));
    assert_eq!(hub.cdn().requests_of(&Requests::cdn()).len(), 0);
}
