//! A hive whose Hub cannot be reached serves all the same, and its jobs say what they wait for.

use fake_hub::FakeHub;
use serde_json::Value;

use crate::{
    events::Frames,
    running_hive::{RunningHive, code_of, download_of},
};

#[tokio::test]
async fn d31_a_hive_without_its_hub_starts_lists_and_says_what_its_jobs_wait_for() {
    let hub = FakeHub::builder().start().await;
    let hive = RunningHive::start_with(hub, |config| {
        // Nobody listens on the port of the discard protocol.
        config.hub.settings.endpoint = "http://127.0.0.1:9".parse().unwrap();
    })
    .await;
    assert_eq!(hive.get("/healthz").await.status(), 200);
    let list: Value = hive.get("/v1/models").await.json().await.unwrap();
    assert_eq!(list["models"], serde_json::json!([]));

    let id = hive.submit("org/tiny").await;
    let mut events = Frames::of(hive.get(&format!("/v1/jobs/{id}/events")).await);
    let (mut waits, mut code) = (false, None);
    while !waits || code.is_none() {
        let frame = events.next().await.unwrap();
        match frame.event.as_str() {
            // It may wait already when we begin to follow it.
            "snapshot" | "phase" => waits |= frame.data["phase"] == "waiting_for_network",
            "log" => code = frame.data["code"].as_str().map(str::to_owned).or(code),
            _ => {}
        }
    }
    assert_eq!(code.as_deref(), Some("upstream_connect"));

    let plan = hive.post("/v1/plans", &download_of("org/tiny")).await;
    assert_eq!(code_of(plan).await, "upstream_connect");
    let cancelled: Value = hive
        .delete(&format!("/v1/jobs/{id}?wait_seconds=20"))
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(cancelled["state"], "cancelled");
    hive.stop().await;
}
