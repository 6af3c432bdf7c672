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
