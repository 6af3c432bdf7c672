//! Requests that no honest client sends, byte for byte: foreign names, pages of other origins, sizes at their limits, and
//! heads that two readers could understand in two ways.

use reqwest::Method;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::running_hive::{LIMIT, RunningHive, code_of, download_of, problem_of, raw};

/// The status of each answer that comes before the hive closes.
async fn statuses(hive: &RunningHive, request: &[u8]) -> Vec<u16> {
    let mut stream = TcpStream::connect(hive.address).await.unwrap();
    // The hive may close before it has read all of it.
    let _ = stream.write_all(request).await;
    let _ = stream.shutdown().await;
    let mut answer = Vec::new();
    let _ = timeout(LIMIT, stream.read_to_end(&mut answer))
        .await
        .unwrap();
    let text = String::from_utf8_lossy(&answer).into_owned();
    text.match_indices("HTTP/1.1 ")
        .filter_map(|(at, _)| text.get(at + 9..at + 12)?.parse().ok())
        .collect()
}

#[tokio::test]
async fn t3_only_a_name_of_this_hive_is_let_in_whatever_the_address() {
    let hive = RunningHive::start().await;
    for (host, status) in [
        ("127.0.0.1", 200),
        ("[::1]", 200),
        ("0.0.0.0", 200),
        ("localhost.", 200),
        ("localhost.evil", 403),
        ("127.0.0.1.evil", 403),
        ("evil.example:7835", 403),
        ("2130706433", 403),
        ("0x7f000001", 403),
        ("localhost..", 403),
        ("[::1", 400),
        ("localhost localhost", 400),
        ("evil.example@localhost", 400),
        ("localhost/..", 400),
        ("localhost:", 400),
        ("", 400),
    ] {
        let request = format!(
            "GET /v1/hive HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {}\r\n\
             Connection: close\r\n\r\n",
            hive.token
        );
        let answer = raw(hive.address, &request).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{host}: {answer}"
        );
    }
    let missing = "GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n";
    assert!(
        raw(hive.address, missing)
            .await
            .starts_with("HTTP/1.1 400 ")
    );
    hive.stop().await;
}

#[tokio::test]
async fn t4_a_page_of_another_origin_gets_nothing_and_no_answer_has_a_cors_header() {
    let hive = RunningHive::start().await;
    let own = format!("http://{}", hive.address);
    for (headers, status) in [
        (vec![], 202),
        (vec![("origin", own.as_str())], 202),
        (vec![("origin", "null")], 403),
        (vec![("origin", "http://evil.example")], 403),
        (vec![("origin", "http://127.0.0.1")], 403),
        (vec![("origin", "file://")], 403),
        (vec![("origin", own.as_str()), ("origin", "null")], 403),
        (vec![("sec-fetch-mode", "no-cors")], 403),
        (vec![("sec-fetch-mode", "No-Cors")], 403),
        (vec![("sec-fetch-site", "cross-site")], 403),
        (
            vec![("origin", own.as_str()), ("sec-fetch-site", "cross-site")],
            403,
        ),
        (
            vec![("sec-fetch-site", "none"), ("sec-fetch-mode", "navigate")],
            202,
        ),
    ] {
        let mut request = hive.request(Method::POST, "/v1/jobs");
        for (name, value) in &headers {
            request = request.header(*name, *value);
        }
        let answer = request.json(&download_of("a/b")).send().await.unwrap();
        assert_eq!(answer.status(), status, "{headers:?}");
        let names = answer.headers().keys();
        let cors = names.filter(|name| name.as_str().starts_with("access-control-"));
        assert_eq!(cors.count(), 0, "{headers:?}");
    }
    for origin in ["http://evil.example", "null", own.as_str()] {
        let preflight = hive
            .stranger(Method::OPTIONS, "/v1/jobs")
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization");
        let answer = preflight.send().await.unwrap();
        assert!(answer.status().is_client_error(), "{origin}");
        let names = answer.headers().keys();
        let cors = names.filter(|name| name.as_str().starts_with("access-control-"));
        assert_eq!(cors.count(), 0, "{origin}");
    }
    hive.stop().await;
}

#[tokio::test]
async fn t4_a_form_of_another_page_is_no_json() {
    let hive = RunningHive::start().await;
    for content_type in [
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "text/plain",
    ] {
        let request = hive.request(Method::POST, "/v1/jobs");
        let request = request.header("content-type", content_type).body("{}");
        let answer = request.send().await.unwrap();
        assert_eq!(code_of(answer).await, "unsupported_media_type");
    }
    hive.stop().await;
}

#[tokio::test]
async fn t14_a_body_has_64_kib_however_it_is_sent() {
    let hive = RunningHive::start().await;
    let limit = 64 * 1024;
    for (length, code) in [
        (limit - 1, "invalid_request"),
        (limit, "invalid_request"),
        (limit + 1, "payload_too_large"),
    ] {
        let body = format!("\"{}\"", "a".repeat(length - 2));
        let chunks: Vec<Result<String, std::io::Error>> = body
            .as_bytes()
            .chunks(1000)
            .map(|chunk| Ok(String::from_utf8(chunk.to_vec()).unwrap()))
            .collect();
        let chunked = reqwest::Body::wrap_stream(futures_util::stream::iter(chunks));
        for body in [reqwest::Body::from(body), chunked] {
            let request = hive.request(Method::POST, "/v1/jobs");
            let request = request
                .header("content-type", "application/json")
                .body(body);
            assert_eq!(
                code_of(request.send().await.unwrap()).await,
                code,
                "{length}"
            );
        }
    }
    hive.stop().await;
}

#[tokio::test]
async fn t14_json_is_32_deep_at_most() {
    let hive = RunningHive::start().await;
    for (depth, is_too_deep) in [(31, false), (32, false), (33, true), (30_000, true)] {
        let body = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let request = hive
            .request(Method::POST, "/v1/jobs")
            .header("content-type", "application/json")
            .body(body);
        let problem = problem_of(request.send().await.unwrap()).await;
        let says_so = problem["detail"].as_str().unwrap().contains("deep");
        assert_eq!(says_so, is_too_deep, "{depth}: {problem}");
    }
    hive.stop().await;
}

#[tokio::test]
async fn t14_an_address_has_8_kib() {
    let hive = RunningHive::start().await;
    for (length, code) in [
        (8 * 1024 - 1, "not_found"),
        (8 * 1024, "not_found"),
        (8 * 1024 + 1, "uri_too_long"),
    ] {
        let path = format!("/{}", "a".repeat(length - 1));
        let request = hive.request(Method::GET, &path);
        // The target's own bytes count, not those of the address that a client writes before it.
        assert_eq!(
            code_of(request.send().await.unwrap()).await,
            code,
            "{length}"
        );
    }
    hive.stop().await;
}

#[tokio::test]
async fn t28_what_two_readers_could_read_in_two_ways_is_refused_and_the_connection_closed() {
    let hive = RunningHive::start().await;
    let body = json!({"operation": {"kind": "model_download", "model": "a/b"}}).to_string();
    let smuggled = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let length = body.len();
    let chunked = format!("{length:x}\r\n{body}\r\n0\r\n\r\n");
    let with = |headers: &str, body: &str| {
        format!(
            "POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/json\r\n{headers}\r\n{body}{smuggled}",
            hive.token
        )
    };
    let corpus = [
        with(
            &format!("Content-Length: {length}\r\nContent-Length: 5\r\n"),
            &body,
        ),
        with("Content-Length: +5\r\n", &body),
        with("Content-Length: -1\r\n", &body),
        with("Content-Length: 5, 6\r\n", &body),
        with("Content-Length: 0x10\r\n", &body),
        with("Content-Length: 99999999999999999999\r\n", &body),
        with("Transfer-Encoding: chunked, identity\r\n", &chunked),
        with("Transfer-Encoding: identity\r\n", &chunked),
        with("Transfer-Encoding: xchunked\r\n", &chunked),
        with("Transfer-Encoding: chunked\r\n", "zz\r\n"),
        with("Transfer-Encoding: chunked\r\n", "fffffffffffffffff\r\n"),
        with("Transfer-Encoding: chunked\r\n", "-1\r\n"),
        with("Transfer-Encoding : chunked\r\n", &chunked),
        with("X: a\r\n folded\r\nContent-Length: 0\r\n", ""),
        with("Content-Length\r\n", &body),
        with("X\0Y: a\r\n", ""),
        with("X: a\rb\r\n", ""),
        format!("GET /v1/hive HTTP/1.1 x\r\nHost: localhost\r\n\r\n{smuggled}"),
        format!("GET  /v1/hive HTTP/1.1\r\nHost: localhost\r\n\r\n{smuggled}"),
        format!("GET /v1/hive HTTP/2.0\r\nHost: localhost\r\n\r\n{smuggled}"),
        "\u{16}\u{3}\u{1}".to_owned(),
    ];
    for request in &corpus {
        let answers = statuses(&hive, request.as_bytes()).await;
        let is_refused = matches!(answers[..], [] | [400 | 408 | 413 | 501]);
        assert!(is_refused, "{answers:?}: {request}");
    }
    // Both lengths, in any order, of a whole body: a job would be begun by one reader and not by another.
    let (of, te) = (
        format!("Content-Length: {length}\r\n"),
        "Transfer-Encoding: chunked\r\n",
    );
    for headers in [
        format!("{of}{te}"),
        format!("{te}{of}"),
        format!("{te}cONTENT-lENGTH:4\r\n"),
    ] {
        let keep = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let answers = statuses(&hive, with(&headers, &chunked).as_bytes()).await;
        assert_eq!(answers, [400], "{headers}");
        let second = format!("{keep}{}", with(&headers, &chunked));
        let answers = statuses(&hive, second.as_bytes()).await;
        assert_eq!(answers, [200, 400], "{headers}");
    }
    let jobs: serde_json::Value = hive.get("/v1/jobs").await.json().await.unwrap();
    assert_eq!(jobs["jobs"], json!([]), "nothing was begun");

    let _held = hive.hub.hold_api();
    let last = statuses(&hive, with(te, &chunked).as_bytes()).await;
    assert_eq!(last, [202], "nothing is read after chunks");
    hive.stop().await;
}
