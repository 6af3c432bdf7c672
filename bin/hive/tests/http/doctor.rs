//! A hive's look at itself, each check made red by a small fault, and the stream that shows what holds events back.

use std::fs;

use fake_hub::{Account, Content, FakeHub, Fault, Repository, Requests, Route};
use hive::TlsConfig;
use model_provisioner::{HubToken, Proxies};
use reqwest::Method;
use serde_json::{Value, json};

use crate::running_hive::{LIMIT, RunningHive, code_of};

const MODEL: &str = "org/tiny-GGUF";

async fn hub() -> FakeHub {
    let repository = Repository::model(MODEL)
        .file("README.md", "# tiny\n")
        .large_file("tiny-Q4_K_M.gguf", Content::gguf("tiny", 20_000_000));
    let builder = FakeHub::builder().repository(repository);
    builder
        .account(Account::new("alice", "hf_alice"))
        .start()
        .await
}

async fn diagnosis(hive: &RunningHive, model: Option<&str>) -> Value {
    let answer = hive.post("/v1/doctor", &json!({ "model": model })).await;
    assert_eq!(answer.status(), 200);
    answer.json().await.unwrap()
}

fn finding<'a>(diagnosis: &'a Value, check: &str) -> &'a Value {
    let findings = diagnosis["findings"].as_array().unwrap();
    let found = findings.iter().find(|finding| finding["check"] == check);
    found.unwrap_or_else(|| panic!("no {check}: {diagnosis:#}"))
}

#[tokio::test]
async fn every_part_is_found_and_every_rate_measured_and_nothing_is_left() {
    let hive = RunningHive::start_with(hub().await, |config| {
        let token = HubToken::new("hf_alice".to_owned(), "HF_TOKEN");
        config.hub.settings.token = Some(token);
    })
    .await;
    fs::create_dir_all(hive.store()).unwrap();
    let diagnosis = diagnosis(&hive, Some(MODEL)).await;
    for check in ["hub", "proxy", "hub_rate"] {
        assert_eq!(finding(&diagnosis, check)["level"], "ok", "{diagnosis:#}");
        assert_eq!(finding(&diagnosis, check)["next"], Value::Null);
    }
    for check in ["store", "state", "disk", "sha256", "open_files"] {
        // A full or slow disk, a busy processor, or few open files, are this machine's; a failure would be ours.
        assert_ne!(finding(&diagnosis, check)["level"], "fail", "{diagnosis:#}");
    }
    let account = finding(&diagnosis, "hub")["found"].as_str().unwrap();
    assert!(
        account.contains("account alice (token from HF_TOKEN)"),
        "{account}"
    );
    for rate in ["sha256_bytes_per_second", "hub_bytes_per_second"] {
        assert!(
            diagnosis["rates"][rate].as_u64().unwrap() > 0,
            "{diagnosis:#}"
        );
    }
    assert_eq!(fs::read_dir(hive.store()).unwrap().count(), 0);
    hive.stop().await;
}

#[tokio::test]
async fn without_a_named_model_the_one_that_was_used_last_is_sampled_where_the_hub_still_has_it() {
    let hive = RunningHive::start_with(hub().await, |_| {}).await;
    assert_eq!(
        finding(&diagnosis(&hive, None).await, "hub_rate")["level"],
        "skip"
    );
    let id = hive.submit(MODEL).await;
    let path = format!("/v1/jobs/{id}?wait_seconds=20&after=1000000");
    let job: Value = hive.get(&path).await.json().await.unwrap();
    assert_eq!(job["state"], "succeeded");

    let found = diagnosis(&hive, None).await;
    let rate = finding(&found, "hub_rate");
    assert_eq!(rate["level"], "ok", "{found:#}");
    assert!(rate["found"].as_str().unwrap().contains("tiny-Q4_K_M.gguf"));
    assert!(found["rates"]["hub_bytes_per_second"].as_u64().unwrap() > 0);

    let _gone = hive.hub.on(Requests::any()).answer(Fault::Status(404));
    let found = diagnosis(&hive, None).await;
    assert_eq!(finding(&found, "hub_rate")["level"], "skip", "{found:#}");
    hive.stop().await;
}

#[tokio::test]
async fn a_hub_that_is_not_there_fails_and_one_without_a_named_model_is_not_measured() {
    let hive = RunningHive::start_with(hub().await, |config| {
        // Nobody listens on the port of the discard protocol.
        config.hub.settings.endpoint = "http://127.0.0.1:9".parse().unwrap();
    })
    .await;
    let found = diagnosis(&hive, None).await;
    assert_eq!(finding(&found, "hub")["level"], "fail");
    let next = finding(&found, "hub")["next"].as_str().unwrap();
    assert!(next.contains("docs/OPERATIONS.md#hub"), "{next}");
    assert_eq!(finding(&found, "hub_rate")["level"], "skip");
    assert_eq!(found["rates"]["hub_bytes_per_second"], Value::Null);
    let found = diagnosis(&hive, Some(MODEL)).await;
    assert_eq!(finding(&found, "hub_rate")["level"], "fail");
    hive.stop().await;
}

#[tokio::test]
async fn a_token_that_the_hub_refuses_fails_and_is_not_shown() {
    let hive = RunningHive::start_with(hub().await, |config| {
        let token = HubToken::new("hf_canary".to_owned(), "HF_TOKEN");
        config.hub.settings.token = Some(token);
    })
    .await;
    let found = diagnosis(&hive, None).await;
    assert_eq!(finding(&found, "hub")["level"], "fail", "{found:#}");
    let text = finding(&found, "hub")["found"].as_str().unwrap();
    assert!(
        text.contains("does not accept the token from HF_TOKEN"),
        "{text}"
    );
    assert!(!found.to_string().contains("hf_canary"));
    hive.stop().await;
}

#[tokio::test]
async fn a_proxy_that_refuses_fails_and_so_does_the_hub_behind_it() {
    let proxy = "http://127.0.0.1:9";
    let hive = RunningHive::start_with(hub().await, |config| {
        let variable = |name: &str| (name == "HTTP_PROXY").then(|| proxy.to_owned());
        config.hub.settings.proxies = Proxies::discover(variable).unwrap();
        config.hub.proxy = Some(proxy.to_owned());
    })
    .await;
    let found = diagnosis(&hive, None).await;
    for check in ["proxy", "hub"] {
        let finding = finding(&found, check);
        assert_eq!(finding["level"], "fail", "{found:#}");
        let text = finding["found"].as_str().unwrap();
        assert!(text.contains("127.0.0.1:9"), "{text}");
    }
    hive.stop().await;
}

#[tokio::test]
async fn a_hub_whose_certificate_nobody_vouches_for_fails_with_the_variable() {
    let shown = RunningHive::start_with(hub().await, |config| {
        config.tls = Some(TlsConfig::SelfSigned);
    })
    .await;
    let endpoint = format!("https://{}", shown.address);
    let hive = RunningHive::start_with(hub().await, |config| {
        config.hub.settings.endpoint = endpoint.parse().unwrap();
    })
    .await;
    let found = diagnosis(&hive, None).await;
    assert_eq!(finding(&found, "hub")["level"], "fail", "{found:#}");
    let next = finding(&found, "hub")["next"].as_str().unwrap();
    assert!(next.contains("SSL_CERT_FILE"), "{next}");
    hive.stop().await;
    shown.stop().await;
}

#[tokio::test]
async fn a_clock_that_is_not_that_of_the_hub_is_a_warning() {
    let hub = hub().await;
    let wrong = Fault::SetHeader("Date", "Sun, 06 Nov 1994 08:49:37 GMT".to_owned());
    hub.on(Requests::to(Route::WhoAmI)).answer(wrong);
    let hive = RunningHive::start_with(hub, |_| {}).await;
    let found = diagnosis(&hive, None).await;
    assert_eq!(finding(&found, "hub")["level"], "ok", "{found:#}");
    assert_eq!(finding(&found, "hub_clock")["level"], "warn", "{found:#}");
    let next = finding(&found, "hub_clock")["next"].as_str().unwrap();
    assert!(next.contains("timedatectl"), "{next}");
    hive.stop().await;
}

#[tokio::test]
async fn an_offline_hive_is_a_warning_and_a_store_that_is_a_file_a_failure() {
    let hive = RunningHive::start_with(hub().await, |config| {
        config.hub.settings.is_offline = true;
    })
    .await;
    fs::write(hive.store(), "").unwrap();
    let found = diagnosis(&hive, None).await;
    assert_eq!(finding(&found, "hub")["level"], "warn", "{found:#}");
    assert_eq!(finding(&found, "store")["level"], "fail", "{found:#}");
    assert_eq!(finding(&found, "disk")["level"], "fail", "{found:#}");
    hive.stop().await;
}

#[tokio::test]
async fn a_second_look_at_the_same_time_is_refused_and_a_bad_model_named() {
    let hub = hub().await;
    let hive = RunningHive::start_with(hub, |_| {}).await;
    let held = hive.hub.hold_api();
    let nothing = json!({});
    let first = hive.post("/v1/doctor", &nothing);
    let second = async {
        let asked = fake_hub::Requests::hub();
        hive.hub
            .api()
            .wait_for_request(&asked, LIMIT)
            .await
            .unwrap();
        let second = hive.post("/v1/doctor", &nothing).await;
        assert_eq!(second.status(), 409);
        assert_eq!(code_of(second).await, "doctor_running");
        held.release();
    };
    let (first, ()) = tokio::join!(first, second);
    assert_eq!(first.status(), 200);
    let found = diagnosis(&hive, Some("not a model")).await;
    assert_eq!(finding(&found, "hub_rate")["level"], "fail");
    let unknown = hive.post("/v1/doctor", &json!({"modle": "a/b"})).await;
    assert_eq!(unknown.status(), 422);
    hive.stop().await;
}

#[tokio::test]
async fn the_stream_has_ten_ticks_that_say_when_they_were_sent_and_ends() {
    let hive = RunningHive::start().await;
    let answer = hive.get("/v1/doctor/stream").await;
    assert_eq!(answer.headers()["x-accel-buffering"], "no");
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let text = answer.text().await.unwrap();
    let ticks: Vec<Value> = text
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|data| serde_json::from_str(data).unwrap())
        .collect();
    let numbers: Vec<u64> = ticks
        .iter()
        .filter_map(|tick| tick["number"].as_u64())
        .collect();
    assert_eq!(numbers, (1..=10).collect::<Vec<_>>());
    let last = ticks[9]["sent_ms"].as_u64().unwrap();
    assert!(last >= 850, "{last}");
    hive.stop().await;
}

#[tokio::test]
async fn a_token_that_may_only_look_sees_its_end_and_starts_no_measurement() {
    let hive = RunningHive::start().await;
    let wanted = json!({"name": "eye", "scope": "read", "expires_in_seconds": 86_400});
    let made: Value = hive.post("/v1/tokens", &wanted).await.json().await.unwrap();
    let secret = made["token"].as_str().unwrap();
    let ask = |method, path| hive.stranger(method, path).bearer_auth(secret);
    let info: Value = ask(Method::GET, "/v1/hive")
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(info["caller"]["expires_at"], made["expires_at"]);
    let refused = ask(Method::POST, "/v1/doctor")
        .json(&json!({}))
        .send()
        .await
        .unwrap();
    assert_eq!(code_of(refused).await, "forbidden");
    assert_eq!(
        ask(Method::GET, "/v1/doctor/stream")
            .send()
            .await
            .unwrap()
            .status(),
        200
    );
    hive.stop().await;
}
