//! Several jobs in one command: followed together, each to its own end, the worst of which counts.

use std::time::Duration;

use e2e::{End, Finished, MODEL, Machine, Running, quantised, slowly, transcript};
use fake_hub::{FakeHub, Fault, Requests};
use rustix::process::Signal;
use serde_json::Value;

const SIGINT: i32 = 2;
const LIMIT: Duration = Duration::from_secs(20);
const FILES: [&str; 2] = ["Tiny-Q4_K_M.gguf", "Tiny-Q8_0.gguf"];

async fn machine() -> (FakeHub, Machine) {
    let hub = FakeHub::builder().repository(quantised()).start().await;
    let machine = Machine::new(hub.endpoint().to_string()).unwrap();
    (hub, machine)
}

fn models() -> [String; 2] {
    ["Q4_K_M", "Q8_0"].map(|quantisation| format!("{MODEL}:{quantisation}"))
}

/// Submits both models and gives their jobs' ids.
async fn submit_both(machine: &Machine) -> Vec<String> {
    let [first, second] = models();
    let submitted = machine
        .run_keeper(&["model", "download", &first, &second, "--detach"])
        .await
        .unwrap();
    assert_eq!(submitted.end, End::Exit(0), "{submitted}");
    submitted.stdout.lines().map(str::to_owned).collect()
}

async fn both_are_receiving(hub: &FakeHub) {
    for file in FILES {
        hub.cdn()
            .wait_for_bytes_sent(file, 100_000, LIMIT)
            .await
            .unwrap();
    }
}

fn states(finished: &Finished) -> Vec<String> {
    let jobs = finished
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    jobs.map(|job| job["state"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn paths_come_in_the_order_of_the_models_and_one_that_fails_counts() {
    let (_hub, machine) = machine().await;
    let [first, second] = models();
    let missing = format!("{MODEL}:Q2_K");
    let finished = machine
        .run_keeper(&["model", "download", &second, &missing, &first])
        .await
        .unwrap();
    assert_eq!(finished.end, End::Exit(1), "{finished}");
    let names: Vec<&str> = finished
        .stdout
        .lines()
        .map(|path| path.rsplit('/').next().unwrap())
        .collect();
    assert_eq!(names, [FILES[1], FILES[0]], "{finished}");
    assert!(finished.stderr.contains("has no Q2_K"), "{finished}");
}

#[tokio::test]
async fn one_ctrl_c_cancels_every_download() {
    let (hub, machine) = machine().await;
    slowly(&hub);
    let [first, second] = models();
    let download = ["model", "download", &first, &second];
    let keeper = Running::start(&mut machine.keeper(download)).unwrap();
    both_are_receiving(&hub).await;
    keeper.signal(Signal::INT).unwrap();
    let finished = keeper.finish().await.unwrap();
    assert_eq!(finished.end, End::Signal(SIGINT), "{finished}");
    hub.cdn()
        .wait_for_all_connections_closed(LIMIT)
        .await
        .unwrap();
    let cancelling = "Cancelling 2 jobs on local";
    assert!(finished.stderr.contains(cancelling), "{finished}");
    assert_eq!(finished.stderr.matches("job retry ").count(), 2);
}

#[tokio::test]
async fn watched_jobs_each_end_by_themselves_and_the_worst_end_counts() {
    let (hub, machine) = machine().await;
    let slow = hub.on(Requests::cdn()).answer(Fault::Drip {
        bytes_per_second: 500_000,
    });
    let ids = submit_both(&machine).await;
    both_are_receiving(&hub).await;
    let watch = ["job", "watch", &ids[0], &ids[1]];
    let mut keeper = Running::start(&mut machine.keeper(watch)).unwrap();
    for id in &ids {
        let plan = format!("local {}: 0 B already here", &id[30..]);
        keeper.wait_for_stderr(&plan).await.unwrap();
    }
    let cancelled = machine
        .run_keeper(&["job", "cancel", &ids[0]])
        .await
        .unwrap();
    assert_eq!(cancelled.end, End::Exit(0), "{cancelled}");
    keeper
        .wait_for_stderr("was cancelled on local")
        .await
        .unwrap();
    slow.release();
    let finished = keeper.finish().await.unwrap();
    assert_eq!(finished.end, End::Exit(130), "{finished}");
    assert!(finished.stdout.ends_with("Tiny-Q8_0.gguf\n"), "{finished}");
    let end_of_second = format!("local {}: done, 12.0 MB", &ids[1][30..]);
    assert!(finished.stderr.contains(&end_of_second), "{finished}");
}

#[tokio::test]
async fn several_jobs_are_paused_resumed_shown_and_cancelled_in_the_order_they_are_named() {
    let (hub, machine) = machine().await;
    slowly(&hub);
    let ids = submit_both(&machine).await;
    both_are_receiving(&hub).await;
    let run = async |verb: &str| {
        let arguments = ["--format", "json", "job", verb, &ids[0], &ids[1], &ids[0]];
        let finished = machine.run_keeper(&arguments).await.unwrap();
        assert_eq!(finished.end, End::Exit(0), "{finished}");
        states(&finished)
    };
    assert_eq!(run("pause").await, ["paused", "paused"]);
    assert_eq!(run("show").await, ["paused", "paused"]);
    assert!(run("resume").await.iter().all(|state| state != "paused"));
    assert_eq!(run("cancel").await, ["cancelled", "cancelled"]);

    // One that is refused does not keep the others from being told.
    let ended = machine
        .run_keeper(&["--format", "json", "job", "pause", &ids[0], &ids[1]])
        .await
        .unwrap();
    assert_eq!(ended.end, End::Exit(6), "{ended}");
    let refused = ended.stdout.matches("\"code\":\"wrong_state\"");
    assert_eq!(refused.count(), 2, "{ended}");

    // A name that is none keeps all from being touched.
    let unknown = machine
        .run_keeper(&["job", "retry", &ids[0], "ffffff"])
        .await
        .unwrap();
    assert_eq!(unknown.end, End::Exit(5), "{unknown}");
}

#[tokio::test]
async fn the_list_says_the_place_in_the_queue_and_the_priority_and_can_be_narrowed() {
    let (hub, machine) = machine().await;
    hub.hold_api();
    let _hive = machine.start_hive(&["--max-jobs", "1"]).await.unwrap();
    let [first, second] = models();
    for (model, priority) in [(&first, "normal"), (&second, "normal"), (&first, "high")] {
        let download = ["pull", model, "--priority", priority, "--detach"];
        let submitted = machine.run_keeper(&download).await.unwrap();
        assert_eq!(submitted.end, End::Exit(0), "{submitted}");
    }
    let listed = machine.run_keeper(&["job", "list"]).await.unwrap();
    let queued = machine
        .run_keeper(&["ps", "--state", "queued"])
        .await
        .unwrap();
    let paused = machine
        .run_keeper(&["ps", "--state", "paused"])
        .await
        .unwrap();
    let nonsense = machine
        .run_keeper(&["ps", "--state", "asleep"])
        .await
        .unwrap();
    transcript(&machine, || {
        let mut settings = insta::Settings::clone_current();
        settings.add_filter("(?m)^[0-9a-f]{6} ", "[job]  ");
        settings.bind(|| {
            insta::assert_snapshot!("job_list", listed);
            insta::assert_snapshot!("job_list_queued", queued);
            insta::assert_snapshot!("job_list_none", paused);
            insta::assert_snapshot!("job_list_no_state", nonsense);
        });
    });
}
