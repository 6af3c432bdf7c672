//! Signals: the first Ctrl+C really stops the job, the second leaves, looking never cancels.

use std::time::Duration;

use e2e::{End, FILE, MODEL, Machine, Running, Terminal, quantised, slowly, transcript};
use fake_hub::{FakeHub, Fault, Requests, Route};
use rustix::process::Signal;

const SIGINT: i32 = 2;
const LIMIT: Duration = Duration::from_secs(20);

async fn slow_hub() -> FakeHub {
    let hub = FakeHub::builder().repository(quantised()).start().await;
    slowly(&hub);
    hub
}

async fn state_of_last(machine: &Machine) -> String {
    let shown = machine
        .run_keeper(&["--format", "json", "job", "show", "last"])
        .await
        .unwrap();
    let job: serde_json::Value =
        serde_json::from_str(shown.stdout.lines().last().unwrap()).unwrap();
    job["state"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn ctrl_c_in_a_body_closes_the_connection_and_keeper_ends_by_sigint() {
    let hub = slow_hub().await;
    let machine = Machine::new(hub.endpoint().to_string()).unwrap();
    let keeper = Running::start(&mut machine.keeper(["model", "download", MODEL])).unwrap();
    hub.cdn()
        .wait_for_bytes_sent(FILE, 100_000, LIMIT)
        .await
        .unwrap();

    keeper.signal(Signal::INT).unwrap();
    let finished = keeper.finish().await.unwrap();

    assert_eq!(finished.end, End::Signal(SIGINT), "{finished}");
    hub.cdn()
        .wait_for_all_connections_closed(LIMIT)
        .await
        .unwrap();
    assert_eq!(state_of_last(&machine).await, "cancelled");
    let model = machine.store().join("models--acme--Tiny-GGUF");
    assert!(!model.join("refs/main").exists());
    assert!(!model.join("snapshots").exists());
    let log = std::fs::read_to_string(machine.state().join("hive.log")).unwrap();
    assert!(log.contains("job.state=\"cancelled\""), "{log}");
    transcript(&machine, || insta::assert_snapshot!("ctrl_c", finished));
}

#[tokio::test]
async fn ctrl_c_while_the_hub_is_silent_stops_the_job_too() {
    let hub = FakeHub::builder().repository(quantised()).start().await;
    let _silent = hub.on(Requests::to(Route::Info)).answer(Fault::Hold);
    let machine = Machine::new(hub.endpoint().to_string()).unwrap();
    let mut keeper = Running::start(&mut machine.keeper(["model", "download", MODEL])).unwrap();
    keeper.wait_for_stderr("accepted").await.unwrap();

    keeper.signal(Signal::INT).unwrap();
    let finished = keeper.finish().await.unwrap();

    assert_eq!(finished.end, End::Signal(SIGINT), "{finished}");
    assert_eq!(state_of_last(&machine).await, "cancelled");
}

#[tokio::test]
async fn ctrl_c_is_heard_where_the_terminal_stands_still() {
    let hub = slow_hub().await;
    let machine = Machine::new(hub.endpoint().to_string()).unwrap();
    let mut keeper = Terminal::start(&machine.keeper(["model", "download", MODEL])).unwrap();
    keeper.wait_for("  Total ").await.unwrap();

    keeper.stand_still().unwrap();
    keeper.signal(Signal::INT).unwrap();
    let finished = keeper.finish().await.unwrap();

    assert_eq!(finished.end, End::Signal(SIGINT), "{finished}");
    assert_eq!(state_of_last(&machine).await, "cancelled");
}

#[tokio::test]
async fn ctrl_c_stops_a_shell_loop() {
    let hub = slow_hub().await;
    let machine = Machine::new(hub.endpoint().to_string()).unwrap();
    let script =
        format!("for n in 1 2 3; do keeper model download {MODEL}; echo ran $n; done; echo after");
    let shell = Running::start(&mut machine.program("bash", ["-c", &script])).unwrap();
    hub.cdn()
        .wait_for_bytes_sent(FILE, 100_000, LIMIT)
        .await
        .unwrap();

    shell.signal_group(Signal::INT).unwrap();
    let finished = shell.finish().await.unwrap();

    assert_eq!(finished.end, End::Signal(SIGINT), "{finished}");
    assert_eq!(finished.stdout, "", "{finished}");
}

#[tokio::test]
async fn sigterm_leaves_the_job_running_and_watch_joins_it_and_leaves_it_running_too() {
    let hub = slow_hub().await;
    let machine = Machine::new(hub.endpoint().to_string()).unwrap();
    let keeper = Running::start(&mut machine.keeper(["model", "download", MODEL])).unwrap();
    hub.cdn()
        .wait_for_bytes_sent(FILE, 100_000, LIMIT)
        .await
        .unwrap();
    keeper.signal(Signal::TERM).unwrap();
    let left = keeper.finish().await.unwrap();

    let mut watch = Running::start(&mut machine.keeper(["job", "watch", "last"])).unwrap();
    watch.wait_for_stderr("to fetch").await.unwrap();
    watch.signal(Signal::INT).unwrap();
    let watched = watch.finish().await.unwrap();

    assert_eq!(state_of_last(&machine).await, "running");
    transcript(&machine, || {
        insta::assert_snapshot!("sigterm", left);
        insta::assert_snapshot!("ctrl_c_in_watch", watched);
    });
    assert_eq!(
        machine
            .run_keeper(&["job", "cancel", "last"])
            .await
            .unwrap()
            .end,
        End::Exit(0)
    );
}

#[tokio::test]
async fn a_keeper_that_is_killed_leaves_the_job_running() {
    let hub = slow_hub().await;
    let machine = Machine::new(hub.endpoint().to_string()).unwrap();
    let keeper = Running::start(&mut machine.keeper(["model", "download", MODEL])).unwrap();
    hub.cdn()
        .wait_for_bytes_sent(FILE, 100_000, LIMIT)
        .await
        .unwrap();

    keeper.signal(Signal::KILL).unwrap();
    keeper.finish().await.unwrap();

    assert_eq!(state_of_last(&machine).await, "running");
    assert_eq!(
        machine
            .run_keeper(&["job", "cancel", "last"])
            .await
            .unwrap()
            .end,
        End::Exit(0)
    );
}

#[tokio::test]
async fn a_second_ctrl_c_leaves_at_once_and_says_how_to_cancel() {
    let hub = slow_hub().await;
    let machine = Machine::new(hub.endpoint().to_string()).unwrap();
    let mut keeper = Running::start(&mut machine.keeper(["model", "download", MODEL])).unwrap();
    hub.cdn()
        .wait_for_bytes_sent(FILE, 100_000, LIMIT)
        .await
        .unwrap();

    // A hive that is stopped answers no DELETE: keeper is still waiting when the second one comes.
    let hive = rustix::process::Pid::from_raw(
        std::fs::read_to_string(machine.state().join("hive.lock"))
            .unwrap()
            .trim()
            .parse()
            .unwrap(),
    )
    .unwrap();
    rustix::process::kill_process(hive, Signal::STOP).unwrap();
    keeper.signal(Signal::INT).unwrap();
    keeper.wait_for_stderr("Cancelling").await.unwrap();
    keeper.signal(Signal::INT).unwrap();
    let finished = keeper.finish().await.unwrap();
    rustix::process::kill_process(hive, Signal::CONT).unwrap();

    assert_eq!(finished.end, End::Signal(SIGINT), "{finished}");
    transcript(&machine, || {
        insta::assert_snapshot!("ctrl_c_twice", finished);
    });
}

#[tokio::test]
async fn what_a_cancel_keeps_is_gone_on_from_and_discarded_when_asked() {
    let hub = slow_hub().await;
    let machine = Machine::new(hub.endpoint().to_string()).unwrap();
    let blobs = machine.store().join("models--acme--Tiny-GGUF/blobs");
    let cancelled_after = async |bytes: u64| {
        let sent = hub.cdn().bytes_sent(FILE);
        let keeper = Running::start(&mut machine.keeper(["model", "download", MODEL])).unwrap();
        hub.cdn()
            .wait_for_bytes_sent(FILE, sent + bytes, LIMIT)
            .await
            .unwrap();
        keeper.signal(Signal::INT).unwrap();
        keeper.finish().await.unwrap()
    };

    cancelled_after(1_000_000).await;
    let again = cancelled_after(100_000).await;
    assert!(again.stderr.contains("Kept 1."), "{again}");

    let discarded = machine
        .run_keeper(&["job", "cancel", "last", "--discard-partial"])
        .await
        .unwrap();
    assert_eq!(discarded.end, End::Exit(0), "{discarded}");
    assert_eq!(std::fs::read_dir(blobs).unwrap().count(), 0);
}
