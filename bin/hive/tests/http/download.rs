//! The main job, over HTTP, from the submission to the bytes in the store.

use fake_hub::{Content, FakeHub, Fault, Repository, Requests};
use hive_api::{Event, Job};
use serde_json::Value;

use crate::{
    events::Frames,
    running_hive::{RunningHive, download_of},
};

const MODEL: &str = "org/tiny-GGUF:Q4_K_M";

fn repository() -> Repository {
    Repository::model("org/tiny-GGUF")
        .file("README.md", "# tiny\n")
        .large_file("tiny-Q4_K_M.gguf", Content::gguf("tiny", 200_000))
        .large_file("tiny-Q8_0.gguf", Content::gguf("tiny", 300_000))
}

async fn start() -> RunningHive {
    let hub = FakeHub::builder().repository(repository()).start().await;
    RunningHive::start_with(hub, |_| {}).await
}

async fn story(hive: &RunningHive, id: &str) -> (Vec<Event>, Job) {
    let frames = Frames::of(hive.get(&format!("/v1/jobs/{id}/events")).await)
        .rest()
        .await;
    let events: Vec<Event> = frames
        .iter()
        .map(|frame| Event::parse(&frame.event, &frame.data.to_string()).unwrap())
        .collect();
    let job = events.last().unwrap().last().unwrap().clone();
    (events, job)
}

#[tokio::test]
async fn a_model_is_planned_fetched_listed_and_removed() {
    let hive = start().await;
    let plan: Value = hive
        .post("/v1/plans", &download_of(MODEL))
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(plan["files"][0]["path"], "tiny-Q4_K_M.gguf");
    assert_eq!(plan["bytes_to_fetch"], 200_000);

    let id = hive.submit(MODEL).await;
    let (_, job) = story(&hive, &id).await;
    assert_eq!(job.state.as_str(), "succeeded", "{:?}", job.error);
    let result = serde_json::to_value(&job.result).unwrap();
    let path = result["path"].as_str().unwrap();
    assert_eq!(std::fs::read(path).unwrap().len(), 200_000);

    let list: Value = hive.get("/v1/models").await.json().await.unwrap();
    assert_eq!(list["models"][0]["model"], MODEL);
    assert_eq!(list["models"][0]["path"], path);
    assert_eq!(list["models"][0]["state"], "complete");
    let shown: Value = hive
        .get("/v1/models?repo=org/tiny-GGUF&revision=main")
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(shown["models"], list["models"]);
    let removed: Value = hive
        .delete("/v1/models?repo=org/tiny-GGUF")
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(removed["bytes_freed"], 200_000);
    assert!(!std::path::Path::new(path).exists());
    hive.stop().await;
}

#[tokio::test]
async fn the_story_of_a_download_is_told_in_order() {
    let hive = start().await;
    let id = hive.submit(MODEL).await;
    hive.get(&format!("/v1/jobs/{id}?wait_seconds=20&after=1"))
        .await;
    let (_, job) = story(&hive, &id).await;
    let request = hive.request(reqwest::Method::GET, &format!("/v1/jobs/{id}/events"));
    let replay = Frames::of(request.header("last-event-id", "0").send().await.unwrap());
    let told: Vec<String> = replay
        .rest()
        .await
        .iter()
        .filter_map(|frame| match &*frame.event {
            "phase" => frame.data["phase"].as_str().map(str::to_owned),
            "log" => frame.data["code"].as_str().map(str::to_owned),
            "succeeded" => Some("succeeded".to_owned()),
            _ => None,
        })
        .collect();
    let expected = [
        "resolving",
        "planning",
        "planned",
        "downloading",
        "file_started",
        "file_verified",
        "publishing",
        "succeeded",
    ];
    assert_eq!(told, expected);
    let summary = job.plan.unwrap();
    assert_eq!(
        (summary.files_total, summary.bytes_to_fetch),
        (1, Some(200_000))
    );
    hive.stop().await;
}

#[tokio::test]
async fn a_wrong_quantisation_fails_with_what_there_is() {
    let hive = start().await;
    let id = hive.submit("org/tiny-GGUF:Q4_KM").await;
    let (_, job) = story(&hive, &id).await;
    let error = serde_json::to_value(job.error.unwrap()).unwrap();
    assert_eq!(error["code"], "selector_not_found");
    assert_eq!(error["detail"], "org/tiny-GGUF has no Q4_KM");
    assert_eq!(error["suggestions"][0]["selector"], "Q4_K_M");
    assert_eq!(
        error["hint"],
        "keeper model download org/tiny-GGUF:Q4_K_M   (200.0 kB)"
    );
    hive.stop().await;
}

#[tokio::test]
async fn a_gated_repository_fails_with_the_page_where_access_is_given() {
    let hub = FakeHub::builder()
        .repository(repository().gated_with_metadata())
        .start()
        .await;
    let hive = RunningHive::start_with(hub, |_| {}).await;
    let id = hive.submit(MODEL).await;
    let (_, job) = story(&hive, &id).await;
    let error = serde_json::to_value(job.error.unwrap()).unwrap();
    assert_eq!(error["code"], "upstream_auth");
    assert_eq!(error["detail"], "org/tiny-GGUF is gated");
    let hint = error["hint"].as_str().unwrap();
    assert!(
        hint.contains("accept the terms at ") && hint.contains("keeper job retry "),
        "{hint}"
    );
    hive.stop().await;
}

#[tokio::test]
async fn a_download_keeps_to_its_limit_until_that_is_lifted() {
    let hive = start().await;
    let mut submission = download_of(MODEL);
    // At this rate the model takes most of an hour.
    submission["limit_bytes_per_second"] = 64.into();
    let job: Value = hive
        .post("/v1/jobs", &submission)
        .await
        .json()
        .await
        .unwrap();
    let id = job["job_id"].as_str().unwrap();
    let path = format!("/v1/jobs/{id}");
    let mut frames = Frames::of(hive.get(&format!("{path}/events")).await);
    loop {
        let frame = frames.next().await.unwrap();
        if frame.event == "progress" && frame.data["limited_by"] == "rate_limit" {
            break;
        }
    }
    let lifted = serde_json::json!({"limit_bytes_per_second": null});
    hive.patch(&path, &lifted).await;
    let rest = frames.rest().await;
    assert!(
        rest.iter()
            .any(|frame| frame.data["code"] == "rate_limit_changed")
    );
    assert_eq!(rest.last().unwrap().event, "succeeded");
    hive.stop().await;
}

#[tokio::test]
async fn a_cut_body_is_told_and_tried_again() {
    let hive = start().await;
    let _cut = hive
        .hub
        .on(Requests::cdn().first(1))
        .answer(Fault::Status(503));
    let id = hive.submit(MODEL).await;
    let (events, job) = story(&hive, &id).await;
    assert_eq!(job.state.as_str(), "succeeded", "{:?}", job.error);
    let retried = events.iter().any(|event| match event {
        Event::Log(line) => line.try_number == Some(2) && line.message.contains("attempt 2 of "),
        _ => false,
    });
    assert!(retried, "{events:?}");
    hive.stop().await;
}
