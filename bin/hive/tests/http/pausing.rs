//! Pausing and resuming: what is answered in which state, and what a watcher is told.

use serde_json::{Value, json};

use crate::{
    events::Frames,
    running_hive::{RunningHive, code_of, problem_of},
};

/// A hive with a job that runs and waits for its Hub.
async fn running() -> (RunningHive, String) {
    let hive = RunningHive::start().await;
    hive.hub.hold_api();
    let path = format!("/v1/jobs/{}", hive.submit("a/b").await);
    hive.get(&format!("{path}?wait_seconds=10&after=1")).await;
    (hive, path)
}

async fn told(hive: &RunningHive, path: &str) -> Value {
    let answer = hive.tell(path).await;
    assert_eq!(answer.status(), 200, "{path}");
    answer.json().await.unwrap()
}

#[tokio::test]
async fn a_running_job_is_paused_resumed_and_cancelled_while_it_is_paused() {
    let (hive, path) = running().await;
    let pause = format!("{path}/pause?wait_seconds=10");
    let paused = told(&hive, &pause).await;
    assert_eq!(
        (&paused["state"], &paused["phase"]),
        (&json!("paused"), &Value::Null)
    );
    assert_eq!(told(&hive, &pause).await, paused, "a pause can be repeated");
    let info: Value = hive.get("/v1/hive").await.json().await.unwrap();
    assert_eq!(info["running_jobs"], 0, "the slot is free");

    let resumed = told(&hive, &format!("{path}/resume")).await;
    assert_eq!(resumed["state"], "queued");
    let after = resumed["sequence"].as_u64().unwrap();
    let again: Value = hive
        .get(&format!("{path}?wait_seconds=10&after={after}"))
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(again["attempt"], 2);

    told(&hive, &pause).await;
    let cancelled: Value = hive.delete(&path).await.json().await.unwrap();
    assert_eq!(cancelled["state"], "cancelled", "nothing has to end first");
    hive.stop().await;
}

#[tokio::test]
async fn a_watcher_is_told_of_every_state_on_the_way() {
    let (hive, path) = running().await;
    told(&hive, &format!("{path}/pause?wait_seconds=10")).await;
    told(&hive, &format!("{path}/resume")).await;
    hive.delete(&format!("{path}?wait_seconds=10")).await;
    let request = hive.request(reqwest::Method::GET, &format!("{path}/events"));
    let replay = request.header("last-event-id", "0").send().await.unwrap();
    let states: Vec<String> = Frames::of(replay)
        .rest()
        .await
        .iter()
        .filter(|frame| frame.event == "state")
        .filter_map(|frame| frame.data["state"].as_str().map(str::to_owned))
        .collect();
    let (first, rest) = states.split_at(5);
    assert_eq!(first, ["queued", "running", "pausing", "paused", "queued"]);
    assert!(
        ["running", "cancelling"].contains(&rest[0].as_str()),
        "{rest:?}"
    );
    hive.stop().await;
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_the_reason_and_a_way_on() {
    let (hive, path) = running().await;
    let short = path[path.len() - 6..].to_owned();
    let refused = async |verb: &str| {
        let problem = problem_of(hive.tell(&format!("{path}/{verb}")).await).await;
        assert_eq!(
            (&problem["status"], &problem["code"]),
            (&json!(409), &json!("wrong_state"))
        );
        assert!(problem["hint"].is_string());
        [&problem["detail"], &problem["reason"]].map(|text| text.as_str().unwrap().to_owned())
    };
    let only_paused = "only a paused job can be resumed";
    assert_eq!(
        refused("resume").await,
        [format!("job {short} is running"), only_paused.to_owned()]
    );
    hive.delete(&format!("{path}?wait_seconds=10")).await;
    let ended = format!("job {short} has ended already");
    assert_eq!(
        refused("resume").await,
        [ended.clone(), only_paused.to_owned()]
    );
    assert_eq!(refused("pause").await[0], ended);

    let unknown = "/v1/jobs/019a0000-0000-7000-8000-000000000000";
    for verb in ["pause", "resume"] {
        let answer = hive.tell(&format!("{unknown}/{verb}")).await;
        assert_eq!(code_of(answer).await, "not_found");
        let answer = hive.tell(&format!("{path}/{verb}?now=1")).await;
        assert_eq!(code_of(answer).await, "invalid_request");
        let answer = hive.get(&format!("{path}/{verb}")).await;
        assert_eq!(code_of(answer).await, "method_not_allowed");
    }
    hive.stop().await;
}
