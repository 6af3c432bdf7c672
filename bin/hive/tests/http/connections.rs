//! Connections that never say anything, and the end of those that would go on for ever.

use std::time::Duration;

use fake_hub::FakeHub;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, timeout},
};

use crate::{
    events::Frames,
    running_hive::{LIMIT, RunningHive, raw},
};

#[tokio::test]
async fn half_sent_headers_are_closed() {
    let hub = FakeHub::builder().start().await;
    let limit = Duration::from_millis(200);
    let hive =
        RunningHive::start_with(hub, |config| config.connections.header_timeout = limit).await;
    for half in [
        "",
        "GET /v1/hive HT",
        "GET /v1/hive HTTP/1.1\r\nHost: localhost\r\n",
    ] {
        raw(hive.address, half).await;
    }
    hive.stop().await;
}

#[tokio::test]
async fn a_body_that_does_not_come_is_answered() {
    let hub = FakeHub::builder().start().await;
    let limit = Duration::from_millis(200);
    let hive = RunningHive::start_with(hub, |config| config.connections.body_timeout = limit).await;
    let request = format!(
        "POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{",
        hive.token
    );
    let answer = raw(hive.address, &request).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    hive.stop().await;
}

#[tokio::test]
async fn a_flood_of_silent_connections_leaves_the_unix_socket_open() {
    let hub = FakeHub::builder().start().await;
    let hive = RunningHive::start_with(hub, |config| config.connections.open_connections = 4).await;
    let mut flood = Vec::new();
    for _ in 0..16 {
        let mut stream = TcpStream::connect(hive.address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
        flood.push(stream);
    }
    let client = reqwest::Client::builder()
        .unix_socket(hive.socket())
        .timeout(LIMIT);
    let client = client.no_proxy().build().unwrap();
    assert_eq!(
        client
            .get("http://hive/v1/hive")
            .send()
            .await
            .unwrap()
            .status(),
        200
    );
    drop(flood);
    assert_eq!(
        hive.get("/healthz").await.status(),
        200,
        "seats are given back"
    );
    hive.stop().await;
}

#[tokio::test]
async fn open_streams_and_waits_do_not_hold_up_the_end() {
    let hive = RunningHive::start().await;
    let _held = hive.hub.hold_api();
    let id = hive.submit("a/b").await;
    let mut stream = Frames::of(hive.get(&format!("/v1/jobs/{id}/events")).await);
    stream.next().await.unwrap();
    let mut silent = TcpStream::connect(hive.address).await.unwrap();
    let (socket, address) = (hive.socket(), hive.address);
    let started = Instant::now();
    hive.hive.shut_down().await;
    assert!(
        started.elapsed() < Duration::from_secs(4),
        "{:?}",
        started.elapsed()
    );
    let frames = stream.rest().await;
    assert!(
        frames
            .iter()
            .all(|frame| !["cancelled", "failed"].contains(&&*frame.event)),
        "a stop is no end of a job"
    );
    let read = timeout(LIMIT, silent.read(&mut [0; 1])).await.unwrap();
    assert!(matches!(read, Ok(0) | Err(_)));
    assert!(!socket.exists());
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn the_end_waits_for_nobody_whose_request_has_not_come() {
    let hub = FakeHub::builder().start().await;
    let hive = RunningHive::start_with(hub, |config| {
        config.connections.header_timeout = LIMIT * 3;
        config.connections.drain_timeout = LIMIT * 3;
    })
    .await;
    let whole = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let mut open = Vec::new();
    for half in ["GET /v1/hi", "GET /v1/hive HTTP/1.1\r\nHost: loc"] {
        for before in ["", whole] {
            let mut stream = TcpStream::connect(hive.address).await.unwrap();
            stream.write_all(before.as_bytes()).await.unwrap();
            if !before.is_empty() {
                assert_ne!(stream.read(&mut [0; 4096]).await.unwrap(), 0);
            }
            stream.write_all(half.as_bytes()).await.unwrap();
            open.push(stream);
        }
    }
    // What came before this was read before this was answered.
    assert_eq!(hive.get("/healthz").await.status(), 200);
    hive.stop().await;
}

#[tokio::test]
async fn a_half_body_is_answered_when_the_hive_stops() {
    let hub = FakeHub::builder().start().await;
    let hive = RunningHive::start_with(hub, |config| {
        config.connections.body_timeout = LIMIT * 3;
        config.connections.drain_timeout = LIMIT * 3;
    })
    .await;
    let head = format!(
        "POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n",
        hive.token
    );
    let mut stream = TcpStream::connect(hive.address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let go_on = b"HTTP/1.1 100 Continue\r\n\r\n";
    let mut answer = vec![0; go_on.len()];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, go_on);
    stream.write_all(b"{").await.unwrap();
    let (stopped, rest) = tokio::join!(hive.stop(), async {
        let mut rest = String::new();
        let read = timeout(LIMIT, stream.read_to_string(&mut rest)).await;
        read.unwrap().unwrap();
        rest
    });
    drop(stopped);
    assert!(rest.starts_with("HTTP/1.1 503 "), "{rest}");
    assert!(rest.contains("\"shutting_down\""), "{rest}");
}

#[tokio::test]
async fn a_request_head_has_32_kib() {
    let hive = RunningHive::start().await;
    let of_length = |length: usize| {
        let start = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nx: ";
        let end = "\r\n\r\n";
        format!(
            "{start}{}{end}",
            "a".repeat(length - start.len() - end.len())
        )
    };
    let fits = raw(hive.address, &of_length(32 * 1024)).await;
    assert!(fits.starts_with("HTTP/1.1 200 "), "{fits}");
    for length in [32 * 1024 + 1, 60 * 1024] {
        let mut stream = TcpStream::connect(hive.address).await.unwrap();
        // The hive may close before it has read all of it, which takes the answer along.
        let _ = stream.write_all(of_length(length).as_bytes()).await;
        let mut answer = Vec::new();
        let _ = timeout(LIMIT, stream.read_to_end(&mut answer))
            .await
            .unwrap();
        let answer = String::from_utf8_lossy(&answer);
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 431 "),
            "{answer}"
        );
    }
    hive.stop().await;
}

#[tokio::test]
async fn a_hive_is_idle_once_nobody_is_connected_and_nothing_runs() {
    let hub = FakeHub::builder().start().await;
    let limit = Duration::from_millis(100);
    let hive =
        RunningHive::start_with(hub, |config| config.connections.header_timeout = limit).await;
    let _held = hive.hub.hold_api();
    let id = hive.submit("a/b").await;
    let quiet = Duration::from_millis(50);
    let busy = timeout(Duration::from_millis(400), hive.hive.idle_for(quiet)).await;
    assert!(busy.is_err(), "a running job is work");
    hive.delete(&format!("/v1/jobs/{id}?wait_seconds=10")).await;
    timeout(LIMIT, hive.hive.idle_for(quiet)).await.unwrap();
    hive.stop().await;
}
