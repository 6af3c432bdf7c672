//! What was done by whom, line by line.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    access::token,
    running_hive::{RunningHive, code_of, download_of},
};

/// What the newest lines say, the oldest of them first.
async fn lines(hive: &RunningHive) -> Vec<Value> {
    let page: Value = hive.get("/v1/audit?limit=1000").await.json().await.unwrap();
    assert_eq!(page["next_cursor"], Value::Null);
    let mut entries = page["entries"].as_array().unwrap().clone();
    entries.reverse();
    entries
}

async fn what(hive: &RunningHive) -> Vec<String> {
    let text = |entry: &Value, field: &str| entry[field].as_str().unwrap().to_owned();
    let lines = lines(hive).await;
    lines
        .iter()
        .map(|entry| {
            [
                text(entry, "who"),
                text(entry, "what"),
                text(entry, "outcome"),
            ]
            .join(" ")
        })
        .collect()
}

#[tokio::test]
async fn every_change_has_one_line_and_what_changes_nothing_has_none() {
    let hive = RunningHive::start().await;
    let _held = hive.hub.hold_api();
    let laptop = token(&hive, "laptop", "operate").await;
    let ask = async |method: Method, path: &str, body: Option<Value>| {
        let mut request = hive.stranger(method, path).bearer_auth(&laptop);
        request = request
            .header("x-request-id", "mine")
            .header("idempotency-key", "k");
        if let Some(body) = body {
            request = request.json(&body);
        }
        request.send().await.unwrap()
    };
    let submit = download_of("a/b");
    let job: Value = ask(Method::POST, "/v1/jobs", Some(submit.clone()))
        .await
        .json()
        .await
        .unwrap();
    let path = format!("/v1/jobs/{}", job["job_id"].as_str().unwrap());
    let (pause, resume) = (
        format!("{path}/pause?wait_seconds=10"),
        format!("{path}/resume"),
    );
    let limit = json!({"limit_bytes_per_second": 1000});
    let wait = format!("{path}?wait_seconds=10");
    for (method, path, body, status) in [
        (Method::POST, "/v1/jobs", Some(submit), 202),
        (Method::PATCH, &path, Some(limit), 200),
        (Method::POST, &pause, None, 200),
        (Method::POST, &pause, None, 200),
        (Method::POST, &resume, None, 200),
        (Method::POST, &resume, None, 409),
        (Method::DELETE, &wait, None, 200),
        (Method::DELETE, &wait, None, 200),
        (Method::GET, &path, None, 200),
        (Method::DELETE, "/v1/models?repo=a/b", None, 403),
        (Method::POST, "/v1/session", None, 204),
    ] {
        let answer = ask(method.clone(), path, body).await;
        assert_eq!(answer.status(), status, "{method} {path}");
    }
    assert_eq!(hive.delete("/v1/models?repo=a/b").await.status(), 404);
    assert_eq!(hive.delete("/v1/tokens/laptop").await.status(), 200);
    let told = what(&hive).await;
    let states = [
        "paused",
        "pausing",
        "queued",
        "running",
        "cancelling",
        "cancelled",
    ];
    let told: Vec<&str> = told
        .iter()
        .map(|line| match line.rsplit_once(' ') {
            // Where the job had come to is a matter of time.
            Some((rest, outcome)) if states.contains(&outcome) => rest,
            _ => line.as_str(),
        })
        .collect();
    assert_eq!(
        told,
        [
            "local token.create created",
            "laptop job.submit",
            "laptop job.change limit 1000 bytes a second",
            "laptop job.pause",
            "laptop job.resume",
            "laptop job.cancel",
            "laptop session.open opened",
            "local token.revoke revoked",
        ]
    );
    let lines = lines(&hive).await;
    let submitted = &lines[1];
    assert_eq!(submitted["target"], job["job_id"]);
    assert_eq!(
        (&submitted["scope"], &submitted["request_id"]),
        (&json!("operate"), &json!("mine"))
    );
    assert!(
        submitted["from"]
            .as_str()
            .unwrap()
            .starts_with("127.0.0.1:")
    );
    let text = serde_json::to_string(&lines).unwrap();
    assert!(!text.contains(&laptop) && !text.contains(&hive.token));
    hive.stop().await;
}

#[tokio::test]
async fn a_change_over_the_socket_is_the_owners() {
    let hive = RunningHive::start().await;
    let client = reqwest::Client::builder().unix_socket(hive.socket());
    let client = client
        .timeout(crate::running_hive::LIMIT)
        .no_proxy()
        .build()
        .unwrap();
    let wanted = json!({"name": "ci"});
    let made = client
        .post("http://hive/v1/tokens")
        .json(&wanted)
        .send()
        .await;
    assert_eq!(made.unwrap().status(), 201);
    let lines = lines(&hive).await;
    let line = [&lines[0]["who"], &lines[0]["from"], &lines[0]["target"]];
    assert_eq!(line, ["local", "unix", "ci"]);
    hive.stop().await;
}

#[tokio::test]
async fn the_log_is_read_page_by_page_from_the_newest() {
    let hive = RunningHive::start().await;
    for name in ["a", "b", "c"] {
        token(&hive, name, "read").await;
    }
    let mut targets = Vec::new();
    let mut path = "/v1/audit?limit=2".to_owned();
    loop {
        let page: Value = hive.get(&path).await.json().await.unwrap();
        let entries = page["entries"].as_array().unwrap();
        targets.extend(
            entries
                .iter()
                .map(|entry| entry["target"].as_str().unwrap().to_owned()),
        );
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/v1/audit?limit=2&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(targets, ["c", "b", "a"]);
    assert_eq!(
        code_of(hive.get("/v1/audit?cursor=x").await).await,
        "invalid_request"
    );
    hive.stop().await;
}

#[tokio::test]
async fn a_change_whose_asker_went_away_has_its_line() {
    use tokio::io::AsyncWriteExt;

    let hive = RunningHive::start().await;
    let _held = hive.hub.hold_api();
    let body = download_of("a/b").to_string();
    let mut left = tokio::net::TcpStream::connect(hive.address).await.unwrap();
    let (token, length) = (&hive.token, body.len());
    let request = format!(
        "POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nContent-Type: \
         application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    left.write_all(request.as_bytes()).await.unwrap();
    let id = loop {
        let list: Value = hive.get("/v1/jobs").await.json().await.unwrap();
        if let Some(job) = list["jobs"].get(0) {
            break job["job_id"].clone();
        }
    };
    drop(left);
    let folder = hive.stop().await;
    let log = std::fs::read_to_string(folder.path().join("state/audit.log")).unwrap();
    let line: Value = serde_json::from_str(log.lines().last().unwrap()).unwrap();
    assert_eq!(
        (&line["what"], &line["target"]),
        (&json!("job.submit"), &id)
    );
}
