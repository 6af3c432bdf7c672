//! Who may do what: named tokens, their scopes and their ends.

use reqwest::{Method, header};
use serde_json::{Value, json};

use crate::{
    events::Frames,
    running_hive::{RunningHive, code_of, download_of, problem_of},
};

const JOB: &str = "/v1/jobs/019a0000-0000-7000-8000-000000000000";

/// Makes a token and gives its secret.
pub(crate) async fn token(hive: &RunningHive, name: &str, scope: &str) -> String {
    let wanted = json!({"name": name, "scope": scope});
    let answer = hive.post("/v1/tokens", &wanted).await;
    assert_eq!(answer.status(), 201);
    let made: Value = answer.json().await.unwrap();
    made["token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn each_scope_may_do_what_those_below_it_may_and_nothing_above() {
    let hive = RunningHive::start().await;
    let scopes = ["read", "infer", "operate", "admin"];
    let mut tokens = Vec::new();
    for scope in scopes {
        tokens.push(token(&hive, scope, scope).await);
    }
    let pause = format!("{JOB}/pause");
    let resume = format!("{JOB}/resume");
    let cases = [
        (Method::GET, "/v1/jobs", "read"),
        (Method::GET, "/v1/models", "read"),
        (Method::GET, "/v1/hive", "read"),
        (Method::HEAD, "/v1/hive", "read"),
        (Method::GET, "/metrics", "read"),
        (Method::GET, "/no/such/route", "read"),
        (Method::POST, "/v1/plans", "read"),
        (Method::POST, "/v1/jobs", "operate"),
        (Method::DELETE, JOB, "operate"),
        (Method::PATCH, JOB, "operate"),
        (Method::POST, &pause, "operate"),
        (Method::POST, &resume, "operate"),
        (Method::DELETE, "/v1/models?repo=a/b", "admin"),
        (Method::GET, "/v1/tokens", "admin"),
        (Method::POST, "/v1/tokens", "admin"),
        (Method::HEAD, "/v1/tokens", "admin"),
        (Method::DELETE, "/v1/tokens/nobody", "admin"),
        (Method::GET, "/v1/audit", "admin"),
        (Method::POST, "/v1/pair/codes", "admin"),
    ];
    for (method, path, least) in cases {
        let needed = scopes.iter().position(|scope| *scope == least).unwrap();
        for (has, token) in tokens.iter().enumerate() {
            let asked = hive.stranger(method.clone(), path).bearer_auth(token);
            let answer = asked.send().await.unwrap();
            let (status, is_head) = (answer.status(), method == Method::HEAD);
            if has >= needed {
                assert!(
                    ![401, 403].contains(&status.as_u16()),
                    "{method} {path} {has} {status}"
                );
                continue;
            }
            assert_eq!(status, 403, "{method} {path} {has}");
            let challenge = answer.headers()[header::WWW_AUTHENTICATE].to_str().unwrap();
            let expected = format!("Bearer error=\"insufficient_scope\", scope=\"{least}\"");
            assert_eq!(challenge, expected);
            if !is_head {
                let problem = problem_of(answer).await;
                assert_eq!(problem["code"], "forbidden");
                let hint = problem["hint"].as_str().unwrap();
                assert!(hint.contains(&format!("hive token create NAME --scope {least}")));
            }
        }
    }
    hive.stop().await;
}

#[tokio::test]
async fn a_job_is_submitted_by_the_name_of_the_token_and_a_key_is_its_own() {
    let hive = RunningHive::start().await;
    let _held = hive.hub.hold_api();
    let mut ids = Vec::new();
    for name in ["alice", "bob"] {
        let token = token(&hive, name, "operate").await;
        let submit = hive.stranger(Method::POST, "/v1/jobs").bearer_auth(&token);
        let submit = submit
            .header("idempotency-key", "same")
            .json(&download_of("a/b"));
        let job: Value = submit.send().await.unwrap().json().await.unwrap();
        assert_eq!(job["submitted_by"], name);
        ids.push(job["job_id"].clone());
        let me = hive.stranger(Method::GET, "/v1/hive").bearer_auth(&token);
        let me: Value = me.send().await.unwrap().json().await.unwrap();
        assert_eq!(
            me["caller"],
            json!({"name": name, "scope": "operate", "expires_at": null})
        );
    }
    assert_ne!(ids[0], ids[1]);
    let me: Value = hive.get("/v1/hive").await.json().await.unwrap();
    assert_eq!(
        me["caller"],
        json!({"name": "local", "scope": "admin", "expires_at": null})
    );
    hive.stop().await;
}

#[tokio::test]
async fn a_revoked_token_ends_with_its_streams_and_sessions_before_the_answer() {
    let hive = RunningHive::start().await;
    let token = token(&hive, "laptop", "read").await;
    let by_token = |method: Method, path: &str| hive.stranger(method, path).bearer_auth(&token);
    let opened = by_token(Method::POST, "/v1/session").send().await.unwrap();
    let cookie = opened.headers()[header::SET_COOKIE].to_str().unwrap();
    let cookie = cookie.split_once(';').unwrap().0.to_owned();
    let by_cookie = || {
        let request = hive.stranger(Method::GET, "/v1/events");
        request.header(header::COOKIE, &cookie)
    };
    let mut streams = vec![
        Frames::of(by_token(Method::GET, "/v1/events").send().await.unwrap()),
        Frames::of(by_cookie().send().await.unwrap()),
    ];
    for stream in &mut streams {
        stream.next_text().await.unwrap();
    }
    let mut other = Frames::of(hive.get("/v1/events").await);
    other.next_text().await.unwrap();

    let revoked = hive.delete("/v1/tokens/laptop").await;
    assert_eq!(revoked.status(), 200);
    let open = hive.get("/metrics").await.text().await.unwrap();
    assert!(open.contains("hive_event_streams 1\n"), "{open}");
    for mut stream in streams {
        while stream.next_text().await.is_some() {}
    }
    let refused = by_token(Method::GET, "/v1/jobs").send().await.unwrap();
    let challenge = &refused.headers()[header::WWW_AUTHENTICATE];
    assert_eq!(challenge, "Bearer error=\"invalid_token\"");
    let problem = problem_of(refused).await;
    assert_eq!(problem["code"], "unauthenticated");
    assert!(
        problem["hint"]
            .as_str()
            .unwrap()
            .contains("hive token create")
    );
    assert_eq!(by_cookie().send().await.unwrap().status(), 401);
    assert_eq!(hive.delete("/v1/tokens/laptop").await.status(), 404);
    drop(other);
    hive.stop().await;
}

#[tokio::test]
async fn a_question_that_waits_for_news_ends_with_its_token() {
    let hive = RunningHive::start().await;
    let _held = hive.hub.hold_api();
    let token = token(&hive, "laptop", "read").await;
    let id = hive.submit("a/b").await;
    let path = format!("/v1/jobs/{id}?wait_seconds=300&after=1000");
    let waits = hive.stranger(Method::GET, &path).bearer_auth(&token).send();
    let revoke = async {
        // The token was used once the question is waiting.
        loop {
            let list: Value = hive.get("/v1/tokens").await.json().await.unwrap();
            if !list["tokens"][0]["last_used_at"].is_null() {
                break;
            }
        }
        hive.delete("/v1/tokens/laptop").await
    };
    let (waited, revoked) = tokio::join!(waits, revoke);
    assert_eq!(
        (waited.unwrap().status(), revoked.status()),
        (401.try_into().unwrap(), 200.try_into().unwrap())
    );
    hive.stop().await;
}

#[tokio::test]
async fn a_token_that_expires_ends_with_its_stream() {
    let hive = RunningHive::start().await;
    let wanted = json!({"name": "short", "expires_in_seconds": 1});
    let made: Value = hive.post("/v1/tokens", &wanted).await.json().await.unwrap();
    assert_eq!(made["scope"], "operate");
    let token = made["token"].as_str().unwrap();
    let by_token = |path: &str| hive.stranger(Method::GET, path).bearer_auth(token).send();
    let mut stream = Frames::of(by_token("/v1/events").await.unwrap());
    while stream.next_text().await.is_some() {}
    let refused = problem_of(by_token("/v1/jobs").await.unwrap()).await;
    assert_eq!(refused["code"], "unauthenticated");
    assert_eq!(refused["detail"], "the token `short` has expired");
    hive.stop().await;
}

#[tokio::test]
async fn a_token_that_cannot_be_is_refused_with_the_field() {
    let hive = RunningHive::start().await;
    token(&hive, "taken", "read").await;
    for (wanted, code, pointer) in [
        (json!({"name": "taken"}), "name_taken", None),
        (json!({"name": "local"}), "invalid_request", Some("/name")),
        (json!({"name": "a b"}), "invalid_request", Some("/name")),
        (json!({"name": ""}), "invalid_request", Some("/name")),
        (
            json!({"name": "a", "scope": "root"}),
            "invalid_request",
            Some("/scope"),
        ),
        (
            json!({"name": "a", "expires_in_seconds": 0}),
            "invalid_request",
            Some("/expires_in_seconds"),
        ),
        (
            json!({"name": "a", "expires": "30d"}),
            "invalid_request",
            Some("/expires"),
        ),
    ] {
        let problem = problem_of(hive.post("/v1/tokens", &wanted).await).await;
        assert_eq!(problem["code"], code, "{wanted}");
        let found = problem["errors"][0]["pointer"].as_str();
        assert_eq!(found, pointer, "{wanted}");
    }
    assert_eq!(
        code_of(hive.delete("/v1/tokens/local").await).await,
        "forbidden"
    );
    let list = hive.get("/v1/tokens").await.text().await.unwrap();
    assert!(list.contains("taken") && !list.contains("hive_"), "{list}");
    hive.stop().await;
}

#[tokio::test]
async fn who_fails_too_often_is_turned_away_and_a_right_token_is_not() {
    use futures_util::{StreamExt, stream::FuturesUnordered};

    let hive = RunningHive::start_with(fake_hub::FakeHub::builder().start().await, |config| {
        config.connections.free_failures = 0;
    })
    .await;
    let wrong = || {
        hive.stranger(Method::GET, "/v1/jobs")
            .bearer_auth("x")
            .send()
    };
    let mut waiting: FuturesUnordered<_> = (0..40).map(|_| wrong()).collect();
    let turned_away = loop {
        let answer = waiting.next().await.unwrap().unwrap();
        if answer.status() == 429 {
            break answer;
        }
    };
    assert!(turned_away.headers().contains_key(header::RETRY_AFTER));
    assert_eq!(code_of(turned_away).await, "too_many_failures");
    assert_eq!(hive.get("/v1/jobs").await.status(), 200);
    drop(waiting);
    hive.stop().await;
}
