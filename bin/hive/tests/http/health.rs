//! What platforms ask: whether the hive can take work, and how it does.

use std::{collections::HashMap, fs};

use fake_hub::{Content, FakeHub, Fault, Repository, Requests};

use crate::{
    events::Frames,
    running_hive::{RunningHive, problem_of},
};

/// Each series with its value; every line must be one of the format's.
async fn metrics(hive: &RunningHive) -> HashMap<String, String> {
    let answer = hive.get("/metrics").await;
    let content_type = answer.headers()["content-type"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(content_type.starts_with("application/openmetrics-text; version=1.0.0"));
    let text = answer.text().await.unwrap();
    assert!(text.ends_with("# EOF\n"), "{text}");
    let mut series = HashMap::new();
    for line in text.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            let word = comment.split(' ').next().unwrap();
            assert!(["HELP", "TYPE", "UNIT", "EOF"].contains(&word), "{line}");
        } else {
            let (name, value) = line.rsplit_once(' ').unwrap();
            assert!(name.starts_with("hive_"), "{line}");
            value.parse::<f64>().unwrap();
            let before = series.insert(name.to_owned(), value.to_owned());
            assert_eq!(before, None, "{line}");
        }
    }
    series
}

#[tokio::test]
async fn a_hive_that_can_take_work_is_ready() {
    let hive = RunningHive::start().await;
    let answer = hive.get("/readyz").await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.text().await.unwrap(), r#"{"ready":true}"#);
    hive.stop().await;
}

#[tokio::test]
async fn a_store_that_cannot_be_written_is_named_with_the_remedy() {
    let hive = RunningHive::start().await;
    fs::write(hive.store(), "not a folder").unwrap();
    let answer = hive.get("/readyz").await;
    assert_eq!(answer.status(), 503);
    assert!(answer.headers().contains_key("retry-after"));
    let problem = problem_of(answer).await;
    assert_eq!(problem["code"], "store_unavailable");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains(hive.store().to_str().unwrap()), "{detail}");
    assert!(problem["hint"].as_str().unwrap().contains("--model-dir"));
    hive.stop().await;
}

#[tokio::test]
async fn metrics_tell_what_a_download_did() {
    let content = Content::gguf("tiny", 200_000);
    let repository = Repository::model("org/tiny-GGUF").large_file("tiny-Q4_K_M.gguf", content);
    let hub = FakeHub::builder().repository(repository).start().await;
    let hive = RunningHive::start_with(hub, |_| {}).await;
    let of_state = |state: &str| format!("hive_jobs{{state=\"{state}\",kind=\"model_download\"}}");
    let before = metrics(&hive).await;
    assert_eq!(before[&of_state("succeeded")], "0");
    assert_eq!(before["hive_received_bytes_total"], "0");

    let _unavailable = hive
        .hub
        .on(Requests::cdn().first(1))
        .answer(Fault::Status(503));
    let id = hive.submit("org/tiny-GGUF").await;
    let mut stream = Frames::of(hive.get(&format!("/v1/jobs/{id}/events")).await);
    stream.next().await.unwrap();
    assert_eq!(metrics(&hive).await["hive_event_streams"], "1");
    assert_eq!(stream.rest().await.last().unwrap().event, "succeeded");

    let after = metrics(&hive).await;
    assert_eq!(after[&of_state("succeeded")], "1");
    assert_eq!(after[&of_state("running")], "0");
    assert_eq!(after["hive_received_bytes_total"], "200000");
    assert_eq!(after["hive_retries_total{code=\"upstream_http\"}"], "1");
    let writes = |series: &HashMap<String, String>| -> u64 {
        series["hive_database_write_seconds_count"].parse().unwrap()
    };
    assert!(writes(&after) > writes(&before));
    assert!(after["hive_start_time_seconds"].parse::<f64>().unwrap() > 1.0e9);
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        after[&format!("hive_build_info{{version=\"{version}\"}}")],
        "1"
    );
    hive.stop().await;
}
