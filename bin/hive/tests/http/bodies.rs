//! What a request may say: sizes, types and every field.

use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};

use crate::running_hive::{RunningHive, code_of, download_of, problem_of};

async fn pointers(hive: &RunningHive, body: &Value) -> Vec<String> {
    let problem = problem_of(hive.post("/v1/jobs", body).await).await;
    assert_eq!(problem["code"], "invalid_request");
    let errors = problem["errors"].as_array().unwrap();
    errors
        .iter()
        .map(|error| error["pointer"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn an_invalid_field_is_named_by_its_pointer_and_makes_no_job() {
    let hive = RunningHive::start().await;
    let operation = |fields: Value| {
        let mut operation = json!({"kind": "model_download", "model": "a/b"});
        operation
            .as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        json!({ "operation": operation })
    };
    let cases = [
        (json!({}), vec![""]),
        (json!([]), vec![""]),
        (json!({"operation": 1}), vec!["/operation"]),
        (json!({"operation": {"model": "a/b"}}), vec!["/operation"]),
        (
            json!({"operation": {"kind": "model_download"}}),
            vec!["/operation"],
        ),
        (
            json!({"operation": {"kind": "format_disk"}}),
            vec!["/operation/kind"],
        ),
        (operation(json!({"model": 3})), vec!["/operation/model"]),
        (
            operation(json!({"model": "../../etc"})),
            vec!["/operation/model"],
        ),
        (operation(json!({"model": ""})), vec!["/operation/model"]),
        (
            operation(json!({"include": ["*", 7]})),
            vec!["/operation/include/1"],
        ),
        (
            operation(json!({"includes": []})),
            vec!["/operation/includes"],
        ),
        (
            operation(json!({"all_files": "yes"})),
            vec!["/operation/all_files"],
        ),
    ];
    for (body, expected) in cases {
        assert_eq!(pointers(&hive, &body).await, expected, "{body}");
    }
    let mut misspelt = download_of("a/b");
    misspelt["prioritty"] = json!("high");
    assert_eq!(pointers(&hive, &misspelt).await, ["/prioritty"]);
    let mut wrong = download_of("a/b");
    wrong["priority"] = json!("urgent");
    assert_eq!(pointers(&hive, &wrong).await, ["/priority"]);
    let mut idle = download_of("a/b");
    idle["limit_bytes_per_second"] = json!(0);
    assert_eq!(pointers(&hive, &idle).await, ["/limit_bytes_per_second"]);
    let jobs: Value = hive.get("/v1/jobs").await.json().await.unwrap();
    assert_eq!(jobs["jobs"], json!([]));
    hive.stop().await;
}

#[tokio::test]
async fn a_change_of_a_job_names_its_limit_and_nothing_else() {
    let hive = RunningHive::start().await;
    let _held = hive.hub.hold_api();
    let path = format!("/v1/jobs/{}", hive.submit("a/b").await);
    let limit = "/limit_bytes_per_second";
    let cases = [
        (json!({}), ""),
        (json!([20]), ""),
        (json!({"limit_bytes_per_second": 0}), limit),
        (json!({"limit_bytes_per_second": -1}), limit),
        (json!({"limit_bytes_per_second": "20MB"}), limit),
        (
            json!({"limit_bytes_per_second": 1, "priority": "high"}),
            "/priority",
        ),
    ];
    for (body, pointer) in cases {
        let problem = problem_of(hive.patch(&path, &body).await).await;
        assert_eq!(problem["code"], "invalid_request", "{body}");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{body}");
    }
    let query = format!("{path}?limit=1");
    let body = json!({"limit_bytes_per_second": 1});
    assert_eq!(
        code_of(hive.patch(&query, &body).await).await,
        "invalid_request"
    );
    let job: Value = hive.get(&path).await.json().await.unwrap();
    assert_eq!(job["limit_bytes_per_second"], Value::Null);
    hive.stop().await;
}

#[tokio::test]
async fn a_malformed_reference_is_answered_with_the_remedy() {
    let hive = RunningHive::start().await;
    let problem = problem_of(hive.post("/v1/jobs", &download_of("Qwen3")).await).await;
    let detail = problem["errors"][0]["detail"].as_str().unwrap();
    assert!(detail.contains("write org/name"), "{detail}");
    hive.stop().await;
}

#[tokio::test]
async fn a_body_has_a_size_a_type_and_a_syntax() {
    let hive = RunningHive::start().await;
    let send = async |content_type: &str, body: String| {
        let request = hive.request(Method::POST, "/v1/jobs");
        let request = request
            .header(header::CONTENT_TYPE, content_type)
            .body(body);
        let answer = request.send().await.unwrap();
        (answer.status(), code_of(answer).await)
    };
    let json = "application/json";
    let of_length = |length: usize| format!("\"{}\"", "a".repeat(length - 2));
    let fits = send(json, of_length(64 * 1024)).await;
    assert_eq!(fits.1, "invalid_request");
    let too_large = send(json, of_length(64 * 1024 + 1)).await;
    assert_eq!(
        too_large,
        (
            StatusCode::PAYLOAD_TOO_LARGE,
            "payload_too_large".to_owned()
        )
    );
    let cases = [
        (
            "application/json; charset=utf-8",
            "{",
            400,
            "malformed_json",
        ),
        (json, "", 400, "malformed_json"),
        (json, "{\"operation\":NaN}", 400, "malformed_json"),
        (
            json,
            "{\"priority\":\"low\",\"priority\":\"high\"}",
            422,
            "invalid_request",
        ),
        ("text/plain", "{}", 415, "unsupported_media_type"),
        (
            "application/x-www-form-urlencoded",
            "a=b",
            415,
            "unsupported_media_type",
        ),
    ];
    for (content_type, body, status, code) in cases {
        let (got, code_got) = send(content_type, body.to_owned()).await;
        assert_eq!(
            (got.as_u16(), &*code_got),
            (status, code),
            "{content_type} {body}"
        );
    }
    let compressed = hive
        .request(Method::POST, "/v1/plans")
        .header("content-encoding", "gzip");
    assert_eq!(
        compressed.json(&json!({})).send().await.unwrap().status(),
        415
    );
    hive.stop().await;
}

#[tokio::test]
async fn an_unknown_or_impossible_query_parameter_is_refused() {
    let hive = RunningHive::start().await;
    let cases = [
        ("/v1/jobs?limt=3", "/limt"),
        ("/v1/jobs?limit=-1", "/limit"),
        ("/v1/jobs?limit=1&limit=2", "/limit"),
        ("/v1/jobs?state=done", "/state"),
        ("/v1/jobs?cursor=~", "/cursor"),
        ("/v1/models?repo=../x/y", "/repo"),
        ("/v1/models?revision=main", "/revision"),
        ("/v1/hive?x", "/x"),
    ];
    for (path, pointer) in cases {
        let problem = problem_of(hive.get(path).await).await;
        assert_eq!(problem["code"], "invalid_request", "{path}");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{path}");
    }
    hive.stop().await;
}
