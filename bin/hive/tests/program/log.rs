//! What the log holds, and what it never does.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use fake_hub::{Content, FakeHub, Repository};
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::serving::{LIMIT, Serving, hive, run};

#[test]
fn the_log_is_json_where_asked_and_never_holds_the_token() {
    let home = TempDir::new().unwrap();
    let token = run(home.path(), &["token"]).stdout;
    let token = String::from_utf8(token).unwrap();
    let output = hive(home.path(), &["serve", "--idle-exit", "1ms"])
        .env("HIVE_LOG_FORMAT", "json")
        .env("HIVE_LOG", "trace")
        .env("HF_TOKEN", "hf_canary")
        .output()
        .unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(log.lines().all(|line| line.starts_with('{')), "{log}");
    let serving = log.lines().find(|line| line.contains("serving")).unwrap();
    for part in [
        "state.path",
        "store.path",
        "hub.endpoint",
        "HF_TOKEN",
        env!("CARGO_PKG_VERSION"),
    ] {
        assert!(serving.contains(part), "{serving}");
    }
    assert!(!log.contains("canary") && !log.contains(token.trim()));
}

#[test]
fn a_line_about_a_strangers_request_is_short_whatever_was_asked() {
    let home = TempDir::new().unwrap();
    let hive = Serving::start(home.path(), &["--listen", "127.0.0.1:0"]);
    for (method, path, status) in [
        ("GET", "a".repeat(30_000), 414),
        (&*"M".repeat(20_000), String::new(), 401),
    ] {
        let mut stream = TcpStream::connect(hive.address()).unwrap();
        write!(
            stream,
            "{method} /{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{answer}"
        );
    }
    hive.signal(Signal::TERM);
    let (_, log) = hive.wait_with_log();
    let answered: Vec<_> = log
        .iter()
        .filter(|line| line.contains("answered"))
        .collect();
    assert_eq!(answered.len(), 2, "{log:#?}");
    for line in answered {
        assert!((256..1_000).contains(&line.len()), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_signed_address_is_logged_at_any_level() {
    let home = TempDir::new().unwrap();
    let repository = Repository::model("org/tiny-GGUF")
        .large_file("tiny-Q4_K_M.gguf", Content::gguf("tiny", 200_000));
    let hub = FakeHub::builder().repository(repository).start().await;
    let mut command = hive(home.path(), &["serve"]);
    command
        .env("HF_ENDPOINT", hub.endpoint())
        .env("HIVE_LOG", "trace");
    let hive = tokio::task::block_in_place(|| Serving::of(&mut command));
    let client = reqwest::Client::builder()
        .unix_socket(home.path().join("state/hive.sock"))
        .timeout(LIMIT)
        .no_proxy()
        .build()
        .unwrap();
    let operation = json!({"kind": "model_download", "model": "org/tiny-GGUF:Q4_K_M"});
    let submission = client
        .post("http://hive/v1/jobs")
        .json(&json!({ "operation": operation }));
    let job: Value = submission.send().await.unwrap().json().await.unwrap();
    let events = format!("http://hive{}", job["links"]["events"].as_str().unwrap());
    let story = client
        .get(events)
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(story.contains("event: succeeded"), "{story}");
    hive.signal(Signal::TERM);
    let (_, log) = tokio::task::block_in_place(|| hive.wait_with_log());
    assert!(log.iter().any(|line| line.contains("DEBUG")), "{log:#?}");
    let telling = ["Signature", " hf_hub", " hyper", " reqwest", " h2"];
    let told: Vec<_> = log
        .iter()
        .filter(|line| telling.iter().any(|word| line.contains(word)))
        .collect();
    assert!(told.is_empty(), "{told:#?}");
}
