//! Who may come in: tokens, hosts and origins.

use fake_hub::FakeHub;
use reqwest::{Client, Method, header};
use serde_json::Value;

use crate::running_hive::{LIMIT, RunningHive, code_of, raw};

/// Every method of every route that the hive describes, and one that is none.
async fn routes(hive: &RunningHive) -> Vec<(Method, String)> {
    let description: Value = hive.get("/openapi.json").await.json().await.unwrap();
    let mut routes = vec![(Method::GET, "/no/such/route".to_owned())];
    for (path, item) in description["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            let method = method.to_uppercase().parse().unwrap();
            let id = "019a0000-0000-7000-8000-000000000000";
            routes.push((method, path.replace("{id}", id).replace("{name}", "ci")));
        }
    }
    assert!(routes.len() > 20);
    routes
}

#[tokio::test]
async fn t1_every_route_but_two_needs_a_token() {
    let hive = RunningHive::start_with(FakeHub::builder().start().await, |config| {
        config.connections.free_failures = u32::MAX;
    })
    .await;
    let token = hive.token.clone();
    let basic = format!("Basic {token}");
    let cut = format!("Bearer {}", &token[1..]);
    let longer = format!("Bearer {token}0");
    // What is no bearer token at all is not called a wrong one (RFC 6750, section 3.1).
    let (plain, invalid) = ("Bearer", "Bearer error=\"invalid_token\"");
    let bad = [
        (None, plain),
        (Some("Bearer "), plain),
        (Some("Bearer x"), invalid),
        (Some(&*basic), plain),
        (Some(&*cut), invalid),
        (Some(&*longer), invalid),
    ];
    for (method, path) in routes(&hive).await {
        if ["/healthz", "/v1/pair"].contains(&&*path) {
            continue;
        }
        for (authorization, challenge) in bad {
            let mut request = hive.stranger(method.clone(), &path);
            if let Some(value) = authorization {
                request = request.header(header::AUTHORIZATION, value);
            }
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), 401, "{method} {path} {authorization:?}");
            assert_eq!(answer.headers()[header::WWW_AUTHENTICATE], challenge);
            assert_eq!(code_of(answer).await, "unauthenticated");
        }
    }
    let health = hive.stranger(Method::GET, "/healthz").send().await.unwrap();
    assert_eq!(health.status(), 200);
    assert_eq!(hive.get("/v1/hive").await.status(), 200);
    hive.stop().await;
}

#[tokio::test]
async fn two_tokens_in_one_request_are_refused() {
    let hive = RunningHive::start().await;
    let request = hive
        .request(Method::GET, "/v1/hive")
        .header(header::AUTHORIZATION, "Bearer x");
    assert_eq!(request.send().await.unwrap().status(), 401);
    hive.stop().await;
}

#[tokio::test]
async fn over_the_unix_socket_the_files_permission_is_the_token() {
    use std::os::unix::fs::PermissionsExt;

    let hive = RunningHive::start().await;
    let mode = hive.socket().metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let client = Client::builder()
        .unix_socket(hive.socket())
        .timeout(LIMIT)
        .no_proxy()
        .build()
        .unwrap();
    let answer = client.get("http://any.name/v1/hive").send().await.unwrap();
    assert_eq!(answer.status(), 200);
    hive.stop().await;
}

#[tokio::test]
async fn only_names_of_this_hive_are_accepted_as_host() {
    let hive = RunningHive::start().await;
    let cases = [
        ("localhost", 200),
        ("LOCALHOST:7835", 200),
        ("localhost.", 200),
        ("127.0.0.1:1", 200),
        ("[::1]:7835", 200),
        ("192.168.1.20", 200),
        ("localhost.evil.example", 403),
        ("localhost:abc", 400),
        ("localhost:99999", 400),
        ("evil.example:7835", 403),
        ("127.0.0.1.evil.example", 403),
        ("evil@localhost", 400),
        ("", 400),
        ("a b", 400),
    ];
    for (host, status) in cases {
        let answer = hive
            .request(Method::GET, "/v1/hive")
            .header(header::HOST, host);
        assert_eq!(answer.send().await.unwrap().status(), status, "{host}");
    }
    hive.stop().await;
}

#[tokio::test]
async fn a_foreign_host_is_told_the_flag_and_a_missing_one_is_malformed() {
    let hive = RunningHive::start().await;
    let request = hive
        .request(Method::GET, "/v1/hive")
        .header(header::HOST, "gpu1.lan");
    let problem = crate::running_hive::problem_of(request.send().await.unwrap()).await;
    assert_eq!(problem["code"], "host_not_allowed");
    assert!(
        problem["hint"]
            .as_str()
            .unwrap()
            .contains("--allow-host gpu1.lan")
    );
    let request = "GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n";
    assert!(
        raw(hive.address, request)
            .await
            .starts_with("HTTP/1.1 400 ")
    );
    let two = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\nConnection: close\r\n\r\n";
    assert!(raw(hive.address, two).await.starts_with("HTTP/1.1 400 "));
    let absolute =
        "GET http://evil/healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    assert!(
        raw(hive.address, absolute)
            .await
            .starts_with("HTTP/1.1 400 ")
    );
    hive.stop().await;
}

#[tokio::test]
async fn a_page_of_another_origin_is_refused_even_with_the_token() {
    let hive = RunningHive::start().await;
    let own = format!("http://{}", hive.address);
    let cases = [
        ("origin", own.as_str(), 200),
        ("origin", "http://evil.example", 403),
        ("origin", "http://localhost:1", 403),
        ("origin", "null", 403),
        ("sec-fetch-mode", "no-cors", 403),
        ("sec-fetch-site", "cross-site", 403),
        ("sec-fetch-site", "same-origin", 200),
    ];
    for (name, value, status) in cases {
        let answer = hive
            .request(Method::GET, "/v1/hive")
            .header(name, value)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), status, "{name}: {value}");
    }
    let preflight = hive
        .stranger(Method::OPTIONS, "/v1/jobs")
        .header("origin", "http://evil.example")
        .header("access-control-request-method", "POST");
    assert_eq!(
        code_of(preflight.send().await.unwrap()).await,
        "origin_not_allowed"
    );
    hive.stop().await;
}
