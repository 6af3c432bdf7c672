//! Requests of those who may ask and mean harm: names that lead elsewhere, keys of others, ids that are guessed, floods of
//! jobs.

use std::collections::HashSet;

use fake_hub::FakeHub;
use futures_util::future::join_all;
use reqwest::{Method, Response, header};
use serde_json::{Value, json};

use crate::{
    access::token,
    events::Frames,
    running_hive::{LIMIT, RunningHive, code_of, download_of, problem_of},
};

const CONTROLS: [&str; 6] = [
    "\n\ndata: x",
    "\r\n",
    "\u{1b}]0;owned\u{7}",
    "\0",
    "\u{9b}2J",
    "\u{202e}",
];

async fn submit_as(hive: &RunningHive, token: &str, key: &[u8], model: &str) -> Response {
    let request = hive.stranger(Method::POST, "/v1/jobs").bearer_auth(token);
    let key = header::HeaderValue::from_bytes(key).unwrap();
    let request = request.header("idempotency-key", key);
    request.json(&download_of(model)).send().await.unwrap()
}

async fn id_of(answer: Response) -> String {
    assert_eq!(answer.status(), 202);
    let job: Value = answer.json().await.unwrap();
    job["job_id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn t5_no_name_that_leads_out_of_the_store_or_is_an_address_becomes_a_job() {
    let hive = RunningHive::start().await;
    let names = [
        "../b",
        "a/..",
        "a/../b",
        "/a/b",
        "C:/b",
        "a/b/../../c",
        "..\\a/b",
        "a\\b",
        "a/%2e%2e",
        "a/b@../../main",
        "a/b@/main",
        "a/b@a\\b",
        "a/b:../x.gguf",
        "a/b:/etc/passwd",
        "a/b\0",
        "//host/share",
        "a/",
        "-a/b",
        "a/-b",
        "file:///etc/passwd",
        "http://127.0.0.1/a/b",
        "http://169.254.169.254/a/b",
        "https://evil.example/a/b",
    ];
    for name in names {
        let refused = hive.post("/v1/jobs", &download_of(name)).await;
        let problem = problem_of(refused).await;
        assert_eq!(problem["code"], "invalid_request", "{name}");
        let pointer = problem["errors"][0]["pointer"].as_str().unwrap();
        assert!(pointer.starts_with("/operation/model"), "{name}: {problem}");
    }
    for repo in [
        "../b",
        "a/../b",
        "%2e%2e/b",
        "a%2f..%2f..",
        "a/b%00",
        "a%5cb",
        "datasets/../x/y",
    ] {
        for method in [Method::GET, Method::DELETE] {
            let request = hive.request(method, &format!("/v1/models?repo={repo}"));
            assert_eq!(
                code_of(request.send().await.unwrap()).await,
                "invalid_request",
                "{repo}"
            );
        }
    }
    let jobs: Value = hive.get("/v1/jobs").await.json().await.unwrap();
    assert_eq!(jobs["jobs"], json!([]));
    assert!(hive.hub.api().requests().is_empty(), "nobody was asked");
    hive.stop().await;
}

#[tokio::test]
async fn t10_no_field_of_the_api_says_where_to_fetch_from() {
    let hive = RunningHive::start().await;
    for field in ["endpoint", "url", "hub", "proxy", "token", "store", "path"] {
        let mut operation = download_of("a/b");
        operation["operation"][field] = json!("http://169.254.169.254/");
        let mut beside = download_of("a/b");
        beside[field] = json!("http://169.254.169.254/");
        for body in [operation, beside] {
            for path in ["/v1/jobs", "/v1/plans"] {
                assert_eq!(
                    code_of(hive.post(path, &body).await).await,
                    "invalid_request",
                    "{body}"
                );
            }
        }
    }
    hive.stop().await;
}

#[tokio::test]
async fn t16_a_key_is_its_principals_own_and_a_hundred_at_once_are_one_job() {
    let hive = RunningHive::start().await;
    let _held = hive.hub.hold_api();
    let (anna, ben) = (
        token(&hive, "anna", "operate").await,
        token(&hive, "ben", "operate").await,
    );
    let all = (0..100).map(|_| submit_as(&hive, &anna, b"key", "a/b"));
    let mut ids = HashSet::new();
    let mut replayed = 0;
    for answer in join_all(all).await {
        replayed += usize::from(answer.headers().contains_key("idempotency-replayed"));
        ids.insert(id_of(answer).await);
    }
    assert_eq!((ids.len(), replayed), (1, 99));
    let of_ben = id_of(submit_as(&hive, &ben, b"key", "a/b").await).await;
    assert!(!ids.contains(&of_ben));
    let other = submit_as(&hive, &ben, b"key", "a/c").await;
    assert_eq!(code_of(other).await, "idempotency_key_reuse");
    for key in [&b""[..], b"\xc3\xa9", b"\xff", b"a\tb", &[b'k'; 256]] {
        let refused = submit_as(&hive, &anna, key, "a/b").await;
        assert_eq!(code_of(refused).await, "malformed_header", "{key:?}");
    }
    let twice = hive
        .request(Method::POST, "/v1/jobs")
        .header("idempotency-key", "a");
    let twice = twice
        .header("idempotency-key", "a")
        .json(&download_of("a/b"));
    assert_eq!(
        code_of(twice.send().await.unwrap()).await,
        "malformed_header"
    );
    hive.stop().await;
}

#[tokio::test]
async fn t17_an_id_that_cannot_be_is_answered_like_one_that_is_not() {
    let hive = RunningHive::start().await;
    let _held = hive.hub.hold_api();
    let id = hive.submit("a/b").await;
    let alike = async |method: Method, path: &str| {
        let request = hive
            .request(method, path)
            .json(&json!({"limit_bytes_per_second": null}));
        let mut problem = problem_of(request.send().await.unwrap()).await;
        problem["request_id"].take();
        problem
    };
    let routes = [
        (Method::GET, ""),
        (Method::DELETE, ""),
        (Method::PATCH, ""),
        (Method::GET, "/events"),
        (Method::POST, "/pause"),
        (Method::POST, "/resume"),
    ];
    let neighbour = format!(
        "{}{}",
        &id[..id.len() - 1],
        if id.ends_with('0') { '1' } else { '0' }
    );
    for (method, end) in routes {
        let unknown = alike(
            method.clone(),
            &format!("/v1/jobs/019a0000-0000-7000-8000-000000000000{end}"),
        )
        .await;
        assert_eq!(unknown["code"], "not_found");
        for wrong in [
            "x",
            "0",
            "-1",
            "%00",
            "..%2f..",
            &id[..8],
            &id[1..],
            &neighbour,
            &format!("{id}0"),
        ] {
            let answer = alike(method.clone(), &format!("/v1/jobs/{wrong}{end}")).await;
            assert_eq!(answer, unknown, "{method} {wrong}{end}");
        }
    }
    hive.stop().await;
}

#[tokio::test]
async fn t19_a_flood_of_jobs_is_turned_away_and_who_looks_or_cancels_is_not() {
    let hub = FakeHub::builder().start().await;
    let _held = hub.hold_api();
    let hive = RunningHive::start_with(hub, |config| config.unfinished_jobs = 20).await;
    let first = hive.submit("a/b").await;
    let body = download_of("a/b");
    let flood = join_all((0..200).map(|_| hive.post("/v1/jobs", &body))).await;
    let mut taken = 1;
    for answer in flood {
        if answer.status() == 202 {
            taken += 1;
            continue;
        }
        assert_eq!(answer.status(), 429);
        assert_eq!(answer.headers()[header::RETRY_AFTER], "2");
        assert_eq!(code_of(answer).await, "quota_exceeded");
    }
    assert_eq!(taken, 20);
    let path = format!("/v1/jobs/{first}");
    assert_eq!(hive.get(&path).await.status(), 200);
    let cancelled = hive.delete(&format!("{path}?wait_seconds=10")).await;
    let cancelled: Value = cancelled.json().await.unwrap();
    assert_eq!(cancelled["state"], "cancelled");
    hive.submit("a/b").await;
    hive.stop().await;
}

#[tokio::test]
async fn t20_a_control_character_ends_no_frame_and_names_no_header() {
    let hive = RunningHive::start().await;
    let _held = hive.hub.hold_api();
    for control in CONTROLS {
        let mut body = download_of("a/b");
        body["operation"]["include"] = json!([format!("*{control}")]);
        let answer = hive.post("/v1/jobs", &body).await;
        let id = id_of(answer).await;
        let mut stream = Frames::of(hive.get(&format!("/v1/jobs/{id}/events")).await);
        let frame = tokio::time::timeout(LIMIT, stream.next_text())
            .await
            .unwrap()
            .unwrap();
        let is_line = |line: &str| {
            ["retry: ", "event: ", "id: ", "data: "]
                .iter()
                .any(|start| line.starts_with(start))
        };
        assert!(frame.lines().all(is_line), "{frame:?}");
        let data = frame
            .lines()
            .find_map(|line| line.strip_prefix("data: "))
            .unwrap();
        let job: Value = serde_json::from_str(data).unwrap();
        assert_eq!(job["operation"]["include"][0], format!("*{control}"));

        let model = format!("a/b{control}");
        assert_eq!(
            code_of(hive.post("/v1/jobs", &download_of(&model)).await).await,
            "invalid_request"
        );
    }
    hive.stop().await;
}
