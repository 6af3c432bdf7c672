//! The shape of every answer, errors above all.

use reqwest::Method;
use serde_json::Value;

use crate::running_hive::{RunningHive, problem_of};

#[tokio::test]
async fn an_unknown_route_job_or_model_is_a_not_found_problem() {
    let hive = RunningHive::start().await;
    let unknown = "/v1/jobs/019a0000-0000-7000-8000-000000000000";
    let cases = [
        "/",
        "/v1/engines",
        "/v1/pins",
        unknown,
        "/v1/jobs/not-an-id",
        "/v1/jobs/%ff",
        "/v1/jobs/not-an-id/events",
        "/v1/models?repo=org/name",
        "/v1/models?repo=org/name&revision=main",
    ];
    for path in cases {
        let problem = problem_of(hive.get(path).await).await;
        assert_eq!(problem["code"], "not_found", "{path}");
    }
    let mut malformed = problem_of(hive.delete("/v1/jobs/not-an-id").await).await;
    let mut missing = problem_of(hive.delete(unknown).await).await;
    for problem in [&mut malformed, &mut missing] {
        problem.as_object_mut().unwrap().remove("request_id");
    }
    assert_eq!(
        malformed, missing,
        "an id that cannot be is as unknown as one that is not"
    );
    hive.stop().await;
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_ones() {
    let hive = RunningHive::start().await;
    let cases = [
        (Method::PUT, "/v1/jobs", "GET,HEAD,POST"),
        (Method::POST, "/v1/jobs/x", "DELETE,GET,HEAD,PATCH"),
        (Method::DELETE, "/v1/hive", "GET,HEAD"),
        (Method::GET, "/v1/plans", "POST"),
    ];
    for (method, path, allowed) in cases {
        let answer = hive.request(method, path).send().await.unwrap();
        assert_eq!(answer.status(), 405, "{path}");
        let allow = answer.headers()["allow"].to_str().unwrap();
        let mut methods: Vec<&str> = allow.split(',').map(str::trim).collect();
        methods.sort_unstable();
        assert_eq!(methods.join(","), allowed);
        assert_eq!(problem_of(answer).await["code"], "method_not_allowed");
    }
    hive.stop().await;
}

#[tokio::test]
async fn a_sane_request_id_is_repeated_and_another_one_replaced() {
    let hive = RunningHive::start().await;
    let long = "x".repeat(65);
    for (given, kept) in [("mine-1", true), ("a b", false), (&*long, false)] {
        let request = hive
            .request(Method::GET, "/v1/hive")
            .header("x-request-id", given);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.headers()["x-request-id"] == given, kept, "{given}");
    }
    hive.stop().await;
}

#[tokio::test]
async fn a_hive_tells_what_it_is() {
    let hive = RunningHive::start().await;
    let info: Value = hive.get("/v1/hive").await.json().await.unwrap();
    assert_eq!(info["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(info["capabilities"], serde_json::json!(["model_download"]));
    assert_eq!(info["pid"], std::process::id());
    assert_eq!(info["store_path"], hive.store().to_str().unwrap());
    assert_eq!(info["listen"][0], hive.address.to_string());
    assert_eq!(info["running_jobs"], 0);
    hive.stop().await;
}

#[tokio::test]
async fn an_empty_store_is_an_empty_list() {
    let hive = RunningHive::start().await;
    let list: Value = hive.get("/v1/models").await.json().await.unwrap();
    assert_eq!(list["models"], serde_json::json!([]));
    assert!(list["free_bytes"].as_u64().unwrap() > 0);
    hive.stop().await;
}

#[tokio::test]
async fn a_hive_describes_what_it_answers() {
    let hive = RunningHive::start().await;
    let answer = hive.get("/openapi.json").await;
    assert_eq!(answer.headers()["content-type"], "application/json");
    let description: Value = answer.json().await.unwrap();
    assert_eq!(description["openapi"], "3.1.0");
    let submit = &description["paths"]["/v1/jobs"]["post"];
    assert!(submit["responses"]["202"].is_object(), "{submit}");
    hive.stop().await;
}
