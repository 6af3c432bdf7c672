//! As whom a hive asks the Hub, and how that is changed while it runs.

use std::{fs, os::unix::fs::MetadataExt};

use fake_hub::{Account, Content, FakeHub, Repository};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::running_hive::{RunningHive, code_of, download_of};

const TOKEN: &str = "hf_alice";
const PATH: &str = "/v1/hub-token";

/// A hive without a token, and a Hub with a model that only Alice may have.
async fn start() -> RunningHive {
    let gated = Repository::model("acme/Gated-GGUF")
        .large_file("Gated-Q4_K_M.gguf", Content::gguf("gated", 10_000))
        .gated();
    let hub = FakeHub::builder()
        .repository(gated)
        .account(Account::new("alice", TOKEN).grant("acme/Gated-GGUF"))
        .account(Account::new("bob", "hf_bob"))
        .start()
        .await;
    RunningHive::start_with(hub, |_| {}).await
}

async fn log_in(hive: &RunningHive, token: &str) -> Response {
    let body = json!({ "token": token });
    let request = hive.request(Method::PUT, PATH).json(&body);
    request.send().await.unwrap()
}

async fn account(answer: Response) -> (Value, Value) {
    assert_eq!(answer.status(), 200);
    let mut answer: Value = answer.json().await.unwrap();
    (answer["account"].take(), answer["token_source"].take())
}

/// Downloads the model, and gives the job as it ended.
async fn download(hive: &RunningHive) -> Value {
    let id = hive.submit("acme/Gated-GGUF").await;
    let path = format!("/v1/jobs/{id}?wait_seconds=20&after=1000000");
    hive.get(&path).await.json().await.unwrap()
}

#[tokio::test]
async fn a_token_that_the_hub_accepts_opens_what_its_account_may_at_once() {
    let hive = start().await;
    assert_eq!(
        account(hive.get(PATH).await).await,
        (Value::Null, Value::Null)
    );
    assert_eq!(download(&hive).await["error"]["code"], "upstream_auth");

    let source = json!("keeper hive login");
    let alice = (json!("alice"), source.clone());
    assert_eq!(account(log_in(&hive, TOKEN).await).await, alice);
    let info: Value = hive.get("/v1/hive").await.json().await.unwrap();
    assert_eq!(info["hub_account"], "alice");
    assert_eq!(account(hive.get(PATH).await).await, alice);
    assert_eq!(download(&hive).await["state"], "succeeded");
    let info: Value = hive.get("/v1/hive").await.json().await.unwrap();
    assert_eq!(
        (&info["hub_account"], &info["hub_token_source"]),
        (&json!("alice"), &source)
    );
    hive.stop().await;
}

#[tokio::test]
async fn the_token_is_kept_for_the_owner_alone_and_is_forgotten_on_request() {
    let hive = start().await;
    account(log_in(&hive, TOKEN).await).await;
    let file = hive.state().join("hub-token");
    assert_eq!(fs::read_to_string(&file).unwrap().trim(), TOKEN);
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
    for _ in 0..2 {
        assert_eq!(
            account(hive.delete(PATH).await).await,
            (Value::Null, Value::Null)
        );
    }
    assert!(!file.exists());
    assert_eq!(download(&hive).await["error"]["code"], "upstream_auth");
    hive.stop().await;
}

#[tokio::test]
async fn a_token_that_the_hub_refuses_changes_nothing() {
    let hive = start().await;
    account(log_in(&hive, TOKEN).await).await;
    let refused = log_in(&hive, "hf_wrong").await;
    assert_eq!(refused.status(), 403);
    let problem: Value = refused.json().await.unwrap();
    assert_eq!(problem["code"], "upstream_auth");
    assert!(
        problem["hint"]
            .as_str()
            .unwrap()
            .contains("/settings/tokens")
    );
    assert_eq!(account(hive.get(PATH).await).await.0, "alice");
    for bad in ["", "hf two words", "hf_\u{7}"] {
        assert_eq!(code_of(log_in(&hive, bad).await).await, "invalid_request");
    }
    let file = fs::read_to_string(hive.state().join("hub-token")).unwrap();
    assert_eq!(file.trim(), TOKEN);
    hive.stop().await;
}

#[tokio::test]
async fn who_has_no_access_is_named() {
    let hive = start().await;
    account(log_in(&hive, "hf_bob").await).await;
    let job = download(&hive).await;
    let reason = job["error"]["reason"].as_str().unwrap();
    assert!(reason.starts_with("account bob of "), "{reason}");
    assert!(reason.contains("keeper hive login"), "{reason}");
    let answer = hive
        .post("/v1/plans", &download_of("acme/Gated-GGUF"))
        .await;
    assert_eq!(answer.status(), 200);
    hive.stop().await;
}
