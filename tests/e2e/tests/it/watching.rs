//! Any number of keepers watch one job and see the same.

use std::time::Duration;

use e2e::{End, FILE, Finished, MODEL, Machine, Running, quantised};
use fake_hub::{FakeHub, Fault, Requests};
use serde_json::Value;

/// The logged events as (name, sequence), without what is live only.
fn logged(finished: &Finished) -> Vec<(String, u64)> {
    let lines = finished
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines
        .filter_map(|line| {
            Some((
                line.get("event")?.as_str()?.to_owned(),
                line["data"]["sequence"].as_u64()?,
            ))
        })
        .filter(|(name, _)| name != "snapshot")
        .collect()
}

#[tokio::test]
async fn two_keepers_see_identical_logged_sequences_and_a_detached_job_runs_to_its_end() {
    let hub = FakeHub::builder().repository(quantised()).start().await;
    let held = hub.on(Requests::cdn()).answer(Fault::Hold);
    let machine = Machine::new(hub.endpoint().to_string()).unwrap();
    let submitted = machine
        .run_keeper(&["model", "download", MODEL, "--detach"])
        .await
        .unwrap();
    assert_eq!(submitted.end, End::Exit(0), "{submitted}");
    hub.cdn()
        .wait_for_request(&Requests::cdn().file(FILE), Duration::from_secs(20))
        .await
        .unwrap();

    let watch = ["--format", "json", "job", "watch", "last"];
    let mut first = Running::start(&mut machine.keeper(watch)).unwrap();
    let mut second = Running::start(&mut machine.keeper(watch)).unwrap();
    first.wait_for_stdout("snapshot").await.unwrap();
    second.wait_for_stdout("snapshot").await.unwrap();
    held.release();
    let (first, second) = (
        first.finish().await.unwrap(),
        second.finish().await.unwrap(),
    );

    let seen = logged(&first);
    assert_eq!(seen, logged(&second));
    assert_eq!(seen.last().unwrap().0, "succeeded");
    assert!(
        seen.windows(2).all(|pair| pair[0].1 < pair[1].1),
        "{seen:?}"
    );
}
