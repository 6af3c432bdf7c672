//! A code that is exchanged once for a token.

use reqwest::{Method, header};
use serde_json::{Value, json};

use crate::running_hive::{RunningHive, code_of, problem_of};

/// Opens a code and gives the whole answer.
async fn open(hive: &RunningHive, wanted: &Value) -> Value {
    let answer = hive.post("/v1/pair/codes", wanted).await;
    assert_eq!(answer.status(), 201);
    answer.json().await.unwrap()
}

async fn pair(hive: &RunningHive, code: &str, name: &str) -> reqwest::Response {
    let asked = json!({"code": code, "name": name});
    let request = hive.stranger(Method::POST, "/v1/pair").json(&asked);
    request.send().await.unwrap()
}

#[tokio::test]
async fn a_code_gives_one_token_of_its_own_name_and_scope() {
    let hive = RunningHive::start().await;
    for (wanted, name, scope) in [
        (json!({}), "laptop", "operate"),
        (json!({}), "laptop-2", "operate"),
        (json!({"scope": "read", "name": "wall"}), "wall", "read"),
    ] {
        let opened = open(&hive, &wanted).await;
        assert_eq!(opened["url"], format!("http://{}", hive.address));
        assert_eq!(opened["pin"], Value::Null);
        let code = opened["code"].as_str().unwrap().to_lowercase();
        let answer = pair(&hive, &code, "laptop").await;
        assert_eq!(answer.status(), 201);
        let made: Value = answer.json().await.unwrap();
        assert_eq!(
            (&made["name"], &made["scope"]),
            (&json!(name), &json!(scope))
        );
        let token = made["token"].as_str().unwrap();
        let me = hive.stranger(Method::GET, "/v1/hive").bearer_auth(token);
        let me: Value = me.send().await.unwrap().json().await.unwrap();
        assert_eq!(me["caller"]["name"], name);
        assert_eq!(
            code_of(pair(&hive, &code, "laptop").await).await,
            "pairing_refused"
        );
    }
    let page: Value = hive.get("/v1/audit").await.json().await.unwrap();
    let newest = &page["entries"][0];
    assert_eq!(
        (&newest["who"], &newest["what"]),
        (&json!("wall"), &json!("pair.token"))
    );
    let text = page.to_string();
    assert!(!text.contains("hive_"), "{text}");
    hive.stop().await;
}

#[tokio::test]
async fn a_wrong_code_is_answered_like_none_and_the_fifth_ends_the_right_one() {
    let hive = RunningHive::start().await;
    let alike = |mut problem: Value| {
        problem["request_id"].take();
        problem
    };
    let none = alike(problem_of(pair(&hive, "2222-2222", "a").await).await);
    let opened = open(&hive, &json!({})).await;
    let code = opened["code"].as_str().unwrap();
    let mut wrong = code.to_owned();
    wrong.replace_range(..1, if code.starts_with('2') { "3" } else { "2" });
    for _ in 0..5 {
        let problem = alike(problem_of(pair(&hive, &wrong, "a").await).await);
        assert_eq!(problem, none);
    }
    assert_eq!(pair(&hive, code, "a").await.status(), 403);
    hive.stop().await;
}

#[tokio::test]
async fn a_browser_does_not_pair_and_a_bad_name_costs_no_try() {
    let hive = RunningHive::start().await;
    let opened = open(&hive, &json!({})).await;
    let code = opened["code"].as_str().unwrap();
    let own = format!("http://{}", hive.address);
    for (name, value) in [
        (header::ORIGIN.as_str(), own.as_str()),
        ("sec-fetch-site", "same-origin"),
        ("sec-fetch-mode", "cors"),
    ] {
        let asked = json!({"code": code, "name": "a"});
        let request = hive.stranger(Method::POST, "/v1/pair").json(&asked);
        let answer = request.header(name, value).send().await.unwrap();
        assert_eq!(code_of(answer).await, "origin_not_allowed");
    }
    for name in ["", "a b", "../a"] {
        assert_eq!(pair(&hive, code, name).await.status(), 422);
    }
    let made: Value = pair(&hive, code, "local").await.json().await.unwrap();
    assert_eq!(made["name"], "local-2");
    hive.stop().await;
}

#[tokio::test]
async fn the_name_that_a_code_gives_is_checked_when_it_is_opened() {
    let hive = RunningHive::start().await;
    for wanted in [
        json!({"name": "a b"}),
        json!({"name": "local"}),
        json!({"scope": "root"}),
    ] {
        let answer = hive.post("/v1/pair/codes", &wanted).await;
        assert_eq!(code_of(answer).await, "invalid_request", "{wanted}");
    }
    hive.stop().await;
}
