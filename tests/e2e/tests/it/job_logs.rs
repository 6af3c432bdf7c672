//! What happened to a job is read from its first event on, by a person and by a program.

use std::time::Duration;

use e2e::{End, FILE, MODEL, Machine, Running, quantised, slowly, transcript};
use fake_hub::FakeHub;
use rustix::process::Signal;
use serde_json::Value;

const SIGINT: i32 = 2;
const LIMIT: Duration = Duration::from_secs(20);

async fn machine() -> (FakeHub, Machine) {
    let hub = FakeHub::builder().repository(quantised()).start().await;
    let machine = Machine::new(hub.endpoint().to_string()).unwrap();
    (hub, machine)
}

#[tokio::test]
async fn the_log_of_an_ended_job_is_whole_from_its_first_event_to_its_last() {
    let (_hub, machine) = machine().await;
    let downloaded = machine
        .run_keeper(&["model", "download", MODEL])
        .await
        .unwrap();
    assert_eq!(downloaded.end, End::Exit(0), "{downloaded}");

    let told = machine.run_keeper(&["job", "logs"]).await.unwrap();
    let followed = machine.run_keeper(&["job", "logs", "-f"]).await.unwrap();
    assert_eq!(told.stdout, followed.stdout);
    let json = machine
        .run_keeper(&["--format", "json", "job", "logs", "last"])
        .await
        .unwrap();
    assert_eq!((json.end, json.stderr.as_str()), (End::Exit(0), ""));
    let events: Vec<Value> = json
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let ids: Vec<u64> = events
        .iter()
        .map(|event| event["id"].as_u64().unwrap())
        .collect();
    assert_eq!(ids, (1..=ids.len() as u64).collect::<Vec<_>>());
    assert_eq!(events.last().unwrap()["event"], "succeeded");
    assert_eq!(told.stdout.lines().count(), events.len(), "{told}");
    transcript(&machine, || insta::assert_snapshot!("job_logs", told));
}

#[tokio::test]
async fn the_log_of_a_running_job_ends_where_it_is_now_and_is_followed_only_when_asked() {
    let (hub, machine) = machine().await;
    slowly(&hub);
    let download = ["model", "download", MODEL, "--detach"];
    machine.run_keeper(&download).await.unwrap();
    hub.cdn()
        .wait_for_bytes_sent(FILE, 100_000, LIMIT)
        .await
        .unwrap();

    let so_far = machine.run_keeper(&["job", "logs", "last"]).await.unwrap();
    assert_eq!(so_far.end, End::Exit(0), "{so_far}");
    assert!(so_far.stdout.contains("downloading\n"), "{so_far}");
    assert!(!so_far.stdout.contains("  end "), "{so_far}");

    let mut follows = Running::start(&mut machine.keeper(["job", "logs", "--follow"])).unwrap();
    follows.wait_for_stdout("downloading").await.unwrap();
    machine.run_keeper(&["job", "pause", "last"]).await.unwrap();
    follows.wait_for_stdout("paused").await.unwrap();
    follows.signal(Signal::INT).unwrap();
    let left = follows.finish().await.unwrap();
    assert_eq!(left.end, End::Signal(SIGINT), "{left}");
    assert!(left.stderr.contains("stays paused"), "{left}");
}
