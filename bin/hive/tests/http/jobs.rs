//! Submitting, looking, waiting and cancelling.

use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::running_hive::{LIMIT, RunningHive, code_of, download_of, problem_of};

#[tokio::test]
async fn a_job_is_accepted_at_once_while_the_hub_answers_nothing() {
    let hive = RunningHive::start().await;
    let _held = hive.hub.hold_api();
    let answer = hive
        .post("/v1/jobs", &download_of("org/name:Q4_K_M@main"))
        .await;
    assert_eq!(answer.status(), 202);
    let location = answer.headers()["location"].to_str().unwrap().to_owned();
    let job: Value = answer.json().await.unwrap();
    assert_eq!(
        location,
        format!("/v1/jobs/{}", job["job_id"].as_str().unwrap())
    );
    assert_eq!(job["links"]["self"], location);
    assert_eq!(job["submitted_by"], "local");
    let list: Value = hive
        .get("/v1/jobs?kind=model_download")
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(list["jobs"][0]["job_id"], job["job_id"]);
    hive.stop().await;
}

#[tokio::test]
async fn one_idempotency_key_is_one_job() {
    let hive = RunningHive::start().await;
    let _held = hive.hub.hold_api();
    let send = async |key: &str, model: &str| {
        let request = hive
            .request(Method::POST, "/v1/jobs")
            .header("idempotency-key", key);
        request.json(&download_of(model)).send().await.unwrap()
    };
    let first = send("k1", "a/b").await;
    assert!(!first.headers().contains_key("idempotency-replayed"));
    let first: Value = first.json().await.unwrap();
    let again = send("k1", "a/b").await;
    assert_eq!(again.status(), 202);
    assert_eq!(again.headers()["idempotency-replayed"], "true");
    let again: Value = again.json().await.unwrap();
    assert_eq!(again["job_id"], first["job_id"]);
    assert_eq!(
        code_of(send("k1", "a/c").await).await,
        "idempotency_key_reuse"
    );
    let too_long = "k".repeat(256);
    assert_eq!(
        code_of(send(&too_long, "a/b").await).await,
        "malformed_header"
    );
    assert_eq!(code_of(send("", "a/b").await).await, "malformed_header");
    hive.stop().await;
}

#[tokio::test]
async fn a_cancel_that_waits_answers_with_the_cancelled_job() {
    let hive = RunningHive::start().await;
    let _held = hive.hub.hold_api();
    let id = hive.submit("a/b").await;
    let path = format!("/v1/jobs/{id}?wait_seconds=10");
    let job: Value = hive.delete(&path).await.json().await.unwrap();
    assert_eq!(job["state"], "cancelled");
    let again: Value = hive.delete(&path).await.json().await.unwrap();
    assert_eq!(again, job, "a cancel can be repeated and changes nothing");
    let seen: Value = hive
        .get(&format!("/v1/jobs/{id}"))
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(seen, job);
    hive.stop().await;
}

#[tokio::test]
async fn a_look_that_waits_answers_when_something_happens() {
    let hive = RunningHive::start().await;
    let _held = hive.hub.hold_api();
    let id = hive.submit("a/b").await;
    let path = format!("/v1/jobs/{id}?wait_seconds=30&after=1");
    let started = Instant::now();
    let job: Value = hive.get(&path).await.json().await.unwrap();
    assert!(job["sequence"].as_u64().unwrap() > 1);
    assert!(started.elapsed() < LIMIT);
    hive.delete(&format!("/v1/jobs/{id}?wait_seconds=10")).await;
    let ended: Value = hive
        .get(&format!("/v1/jobs/{id}?wait_seconds=30"))
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(
        ended["state"], "cancelled",
        "an ended job is not waited for"
    );
    hive.stop().await;
}

#[tokio::test]
async fn a_limit_is_submitted_changed_and_lifted_until_the_job_ends() {
    let hive = RunningHive::start().await;
    let _held = hive.hub.hold_api();
    let mut submission = download_of("a/b");
    submission["limit_bytes_per_second"] = json!(1_000_000);
    let job: Value = hive
        .post("/v1/jobs", &submission)
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(job["limit_bytes_per_second"], 1_000_000);
    let path = job["links"]["self"].as_str().unwrap();
    for limit in [json!(20_000_000), Value::Null] {
        let body = json!({ "limit_bytes_per_second": limit });
        let answer = hive.patch(path, &body).await;
        assert_eq!(answer.status(), 200);
        let changed: Value = answer.json().await.unwrap();
        assert_eq!(changed["limit_bytes_per_second"], limit);
    }

    let body = json!({"limit_bytes_per_second": 1});
    hive.delete(&format!("{path}?wait_seconds=10")).await;
    let problem = problem_of(hive.patch(path, &body).await).await;
    assert_eq!(
        (&problem["status"], &problem["code"]),
        (&json!(409), &json!("wrong_state"))
    );
    assert!(problem["hint"].is_string() && problem["reason"].is_string());
    let unknown = "/v1/jobs/019a0000-0000-7000-8000-000000000000";
    assert_eq!(code_of(hive.patch(unknown, &body).await).await, "not_found");
    hive.stop().await;
}

#[tokio::test]
async fn a_model_that_a_job_works_on_is_not_removed() {
    let hive = RunningHive::start().await;
    let _held = hive.hub.hold_api();
    let id = hive.submit("org/name:Q4_K_M").await;
    hive.get(&format!("/v1/jobs/{id}?wait_seconds=10&after=1"))
        .await;
    let answer = hive.delete("/v1/models?repo=org/name").await;
    let problem = problem_of(answer).await;
    assert_eq!(problem["code"], "model_in_use");
    assert!(problem["detail"].as_str().unwrap().contains(&id));
    assert_eq!(
        code_of(hive.delete("/v1/models?repo=org/other").await).await,
        "not_found"
    );
    assert_eq!(
        code_of(hive.delete("/v1/models").await).await,
        "invalid_request"
    );
    hive.stop().await;
}

#[tokio::test]
async fn a_plan_of_a_missing_repository_is_a_problem() {
    let hive = RunningHive::start().await;
    let answer = hive
        .post("/v1/plans", &json!(download_of("org/missing")))
        .await;
    let code = code_of(answer).await;
    assert!(
        ["upstream_not_found", "upstream_auth"].contains(&&*code),
        "{code}"
    );
    hive.stop().await;
}
