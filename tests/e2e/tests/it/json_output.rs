//! For a program: with `--format json` stdout has JSON objects alone, one a line, whatever becomes of the command.

use e2e::{End, MODEL, Machine, quantised};
use fake_hub::FakeHub;
use serde_json::Value;

/// The lines of stdout; nothing is on stderr.
async fn lines(machine: &Machine, command: &str, end: End) -> Vec<Value> {
    let arguments: Vec<&str> = command.split(' ').chain(["--format", "json"]).collect();
    let finished = machine.run_keeper(&arguments).await.unwrap();
    assert_eq!(finished.end, end, "{command}: {finished}");
    assert_eq!(finished.stderr, "", "{command}: {finished}");
    let lines: Vec<Value> = finished
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(lines.iter().all(Value::is_object), "{command}: {finished}");
    lines
}

/// The member of the one line.
async fn only(machine: &Machine, command: &str, end: End, member: &str) -> Value {
    let lines = lines(machine, command, end).await;
    assert_eq!(lines.len(), 1, "{command}: {lines:?}");
    assert!(!lines[0][member].is_null(), "{command}: {lines:?}");
    lines[0][member].clone()
}

#[tokio::test]
async fn every_command_speaks_json_and_nothing_else() {
    let hub = FakeHub::builder().repository(quantised()).start().await;
    let machine = Machine::new(hub.endpoint().to_string()).unwrap();
    let done = End::Exit(0);
    let code = "code";

    let stopped = lines(&machine, "hive stop", done).await;
    assert_eq!(stopped, [serde_json::json!({"stopped_process": null})]);
    only(&machine, "hive status", End::Exit(3), code).await;
    let pid = only(&machine, "hive start", done, "pid").await;
    assert_eq!(only(&machine, "hive start", done, "pid").await, pid);
    assert_eq!(only(&machine, "hive status", done, "pid").await, pid);
    only(&machine, "job show", End::Exit(5), code).await;

    let download = format!("model download {MODEL}");
    let told = lines(&machine, &download, done).await;
    assert_eq!(told.last().unwrap()["state"], "succeeded");
    assert!(
        told[..told.len() - 1]
            .iter()
            .all(|line| line["event"].is_string())
    );
    let id = only(&machine, &format!("{download} --detach"), done, "job_id").await;
    let watched = lines(&machine, "job watch last", done).await;
    assert_eq!(watched.last().unwrap()["job_id"], id);
    assert_eq!(only(&machine, "job show last", done, "job_id").await, id);
    lines(&machine, "job logs last", done).await;
    only(&machine, "job list --all", done, "jobs").await;
    only(&machine, "job cancel last", done, "job_id").await;
    let retried = lines(&machine, "job retry last", done).await;
    assert_eq!(retried.last().unwrap()["state"], "succeeded");
    only(&machine, "job pause last", End::Exit(6), code).await;
    only(&machine, "job resume last", End::Exit(6), code).await;
    only(&machine, "job limit last 20MB", End::Exit(6), code).await;

    only(&machine, &format!("model plan {MODEL}"), done, "files").await;
    only(&machine, "model list", done, "models").await;
    only(&machine, &format!("model show {MODEL}"), done, "models").await;
    only(
        &machine,
        &format!("model remove {MODEL}"),
        End::Exit(2),
        code,
    )
    .await;
    only(
        &machine,
        &format!("model remove {MODEL} --yes"),
        done,
        "commits",
    )
    .await;
    only(&machine, "model download nonsense", End::Exit(2), code).await;
    only(&machine, "modle list", End::Exit(2), code).await;
    only(&machine, "hive restart", done, "pid").await;
    only(&machine, "hive stop", done, "stopped_process").await;
}
