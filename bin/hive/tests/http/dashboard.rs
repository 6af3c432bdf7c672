//! The event stream of all jobs.

use serde_json::Value;

use crate::{events::Frames, running_hive::RunningHive};

/// The next frame's name and body; a dashboard's frames have no id.
async fn next(stream: &mut Frames) -> (String, Value) {
    let text = stream.next_text().await.unwrap();
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.map(|value| value.trim().to_owned())
    };
    assert_eq!(field("id:"), None, "{text}");
    let data = serde_json::from_str(&field("data:").unwrap()).unwrap();
    (field("event:").unwrap(), data)
}

#[tokio::test]
async fn a_dashboard_sees_what_is_there_what_comes_and_how_it_ends() {
    let hive = RunningHive::start().await;
    let _held = hive.hub.hold_api();
    let there = hive.submit("a/b").await;
    let mut stream = Frames::of(hive.get("/v1/events").await);
    let (event, data) = next(&mut stream).await;
    assert_eq!(event, "snapshot");
    assert_eq!(data["jobs"][0]["job_id"], there);
    assert_eq!(data["jobs"].as_array().unwrap().len(), 1);

    let new = hive.submit("a/c").await;
    while next(&mut stream).await.1["job_id"] != new {}
    hive.delete(&format!("/v1/jobs/{new}?wait_seconds=10"))
        .await;
    loop {
        let (event, data) = next(&mut stream).await;
        if event == "job" && data["job_id"] == new && data["state"] == "cancelled" {
            break;
        }
    }
    hive.stop().await;
    assert_eq!(
        stream.next_text().await,
        None,
        "a hive that stops closes it"
    );
}
