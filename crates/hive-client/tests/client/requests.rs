//! Requests with one answer: what is sent, what is repeated, and what each failure is called.

use std::time::Duration;

use hive_api::{
    ChangeJob, JobState, ModelDownload, Operation, Priority, Problem, ProblemCode, SubmitJob,
};
use hive_client::{
    CancelJob, ClientError, Endpoint, HiveClient, HttpEndpoint, IdempotencyKey, JobFilter, Trust,
};
use url::Url;
use uuid::Uuid;

use crate::scripted::{ScriptedHive, Step, answer, ended, job, json};

fn submission() -> SubmitJob {
    SubmitJob {
        operation: Operation::ModelDownload(ModelDownload {
            model: "a/b".into(),
            ..ModelDownload::default()
        }),
        priority: Priority::Normal,
        limit_bytes_per_second: None,
    }
}

fn key() -> IdempotencyKey {
    IdempotencyKey::new(Uuid::from_u128(7))
}

#[tokio::test]
async fn a_submission_whose_answer_was_lost_is_repeated_under_the_same_key() {
    let accepted = json("202 Accepted", &job());
    let cut = accepted[..accepted.len() / 2].to_owned();
    let hive = ScriptedHive::start(vec![Step::Close, Step::Send(cut), Step::Send(accepted)]).await;
    let submitted = hive.client.submit(&submission(), key()).await.unwrap();
    assert_eq!(submitted.job_id, job().job_id);
    let keys = hive.header("idempotency-key");
    assert_eq!(keys, vec![Some(Uuid::from_u128(7).to_string()); 3]);
    let bodies: Vec<String> = hive
        .requests()
        .iter()
        .map(|request| request.split("\r\n\r\n").nth(1).unwrap().to_owned())
        .collect();
    assert!(
        bodies
            .iter()
            .all(|body| *body == bodies[0] && !body.is_empty())
    );
}

#[tokio::test]
async fn a_refused_submission_is_not_repeated() {
    let refusal = Problem::new(ProblemCode::InvalidRequest, "no reference");
    let hive = ScriptedHive::start(vec![Step::Send(json("422 Unprocessable", &refusal))]).await;
    let refused = hive.client.submit(&submission(), key()).await.unwrap_err();
    assert_eq!(refused.problem(), Some(&refusal));
    assert_eq!(hive.requests().len(), 1);
}

#[tokio::test]
async fn a_hive_that_is_not_there_is_unreachable_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = [
        Endpoint::UnixSocket(folder.path().join("hive.sock")),
        Endpoint::Http(HttpEndpoint {
            url: Url::parse("http://127.0.0.1:1").unwrap(),
            token: None,
            trust: Trust::SystemRoots,
            proxy: None,
        }),
    ];
    for endpoint in nowhere {
        let client = HiveClient::connect(&endpoint).unwrap();
        let submitted = client.submit(&submission(), key()).await.unwrap_err();
        assert!(
            matches!(submitted, ClientError::Unreachable { .. }),
            "{submitted:?}"
        );
        let healthy = client.health().await.unwrap_err();
        assert!(!healthy.may_have_been_received());
    }
}

#[tokio::test]
async fn a_token_that_is_not_accepted_is_told_from_a_hub_that_refuses() {
    let cases = [
        (ProblemCode::Unauthenticated, true),
        (ProblemCode::Forbidden, true),
        (ProblemCode::UpstreamAuth, false),
    ];
    for (code, is_own) in cases {
        let status = format!("{} Refused", code.status());
        let refusal = json(&status, &Problem::new(code, "no"));
        let hive = ScriptedHive::start(vec![Step::Send(refusal)]).await;
        let refused = hive.client.plan(&submission()).await.unwrap_err();
        let is_unauthorized = matches!(refused, ClientError::Unauthorized(_));
        assert_eq!(is_unauthorized, is_own, "{refused:?}");
    }
}

#[tokio::test]
async fn a_cancel_says_how_long_to_wait_and_what_to_discard() {
    let cancelled = json("200 OK", &ended(JobState::Cancelled));
    let hive =
        ScriptedHive::start(vec![Step::Send(cancelled.clone()), Step::Send(cancelled)]).await;
    let id = job().job_id;
    hive.client.cancel(id, CancelJob::default()).await.unwrap();
    let how = CancelJob {
        wait: Some(Duration::from_secs(5)),
        discard_partial: true,
    };
    hive.client.cancel(id, how).await.unwrap();
    let lines: Vec<String> = hive
        .requests()
        .iter()
        .map(|request| request.lines().next().unwrap().to_owned())
        .collect();
    assert_eq!(
        lines,
        [
            format!("DELETE /v1/jobs/{id} HTTP/1.1"),
            format!("DELETE /v1/jobs/{id}?wait_seconds=5&discard_partial=true HTTP/1.1"),
        ]
    );
}

#[tokio::test]
async fn a_limit_that_is_lifted_is_said_and_not_left_out() {
    let hive = ScriptedHive::start(vec![Step::Send(json("200 OK", &job()))]).await;
    let id = job().job_id;
    let lifted = ChangeJob {
        limit_bytes_per_second: None,
    };
    hive.client.change(id, &lifted).await.unwrap();
    let requests = hive.requests();
    assert!(requests[0].starts_with(&format!("PATCH /v1/jobs/{id} HTTP/1.1")));
    assert!(requests[0].ends_with(r#"{"limit_bytes_per_second":null}"#));
}

#[tokio::test]
async fn a_pause_says_how_long_to_wait_and_a_resume_nothing() {
    let answer = Step::Send(json("200 OK", &job()));
    let hive = ScriptedHive::start(vec![answer.clone(), answer.clone(), answer]).await;
    let id = job().job_id;
    hive.client.pause(id, None).await.unwrap();
    let wait = Some(Duration::from_secs(5));
    hive.client.pause(id, wait).await.unwrap();
    hive.client.resume(id).await.unwrap();
    let requests = hive.requests();
    let lines: Vec<&str> = requests
        .iter()
        .filter_map(|request| request.lines().next())
        .collect();
    assert_eq!(
        lines,
        [
            format!("POST /v1/jobs/{id}/pause HTTP/1.1"),
            format!("POST /v1/jobs/{id}/pause?wait_seconds=5 HTTP/1.1"),
            format!("POST /v1/jobs/{id}/resume HTTP/1.1"),
        ]
    );
}

#[tokio::test]
async fn names_in_a_query_are_escaped_and_absent_ones_left_out() {
    let empty = serde_json::json!({"store_path": "/hub", "free_bytes": 1, "models": []});
    let jobs = serde_json::json!({"jobs": [], "next_cursor": null});
    let hive = ScriptedHive::start(vec![
        Step::Send(json("200 OK", &empty)),
        Step::Send(json("200 OK", &jobs)),
    ])
    .await;
    let repo = "datasets/a/b&c";
    hive.client.model(repo, Some("refs/pr/1")).await.unwrap();
    hive.client.jobs(&JobFilter::default()).await.unwrap();
    let requests = hive.requests();
    let query = "repo=datasets%2Fa%2Fb%26c&revision=refs%2Fpr%2F1";
    assert!(requests[0].starts_with(&format!("GET /v1/models?{query} ")));
    assert!(requests[1].starts_with("GET /v1/jobs HTTP"));
}

#[tokio::test]
async fn a_proxy_without_a_hive_behind_it_is_an_answer_that_may_come_later() {
    for status in [
        "502 Bad Gateway",
        "503 Service Unavailable",
        "504 Gateway Timeout",
    ] {
        let page = answer(status, "text/html", "<html>");
        let hive = ScriptedHive::start(vec![Step::Send(page)]).await;
        let error = hive.client.job(job().job_id).await.unwrap_err();
        assert!(error.may_have_been_received(), "{error}");
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains(status), "{cause}");
    }
}
