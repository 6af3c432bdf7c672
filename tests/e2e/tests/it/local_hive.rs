//! The hive of one's own machine: found, started, stopped, never two of them, closed on TCP without a token.

use std::fmt::Write as _;

use e2e::{End, MODEL, Machine, Running, quantised, transcript};
use fake_hub::{FakeHub, Fault, Requests, Route};
use rustix::process::Signal;

async fn machine() -> (FakeHub, Machine) {
    let hub = FakeHub::builder().repository(quantised()).start().await;
    let machine = Machine::new(hub.endpoint().to_string()).unwrap();
    (hub, machine)
}

#[tokio::test]
async fn start_status_stop_say_what_is() {
    let (_hub, machine) = machine().await;
    let mut story = String::new();
    for verb in ["status", "start", "start", "stop", "stop"] {
        let finished = machine.run_keeper(&["hive", verb]).await.unwrap();
        writeln!(story, "$ keeper hive {verb}\n{finished}").unwrap();
    }
    transcript(&machine, || insta::assert_snapshot!("start_stop", story));
}

#[tokio::test]
async fn a_second_hive_on_the_same_state_folder_ends_with_4_and_names_the_first() {
    let (_hub, machine) = machine().await;
    machine.run_keeper(&["hive", "start"]).await.unwrap();
    let second = Running::start(&mut machine.hive(["serve"]))
        .unwrap()
        .finish()
        .await
        .unwrap();
    assert_eq!(second.end, End::Exit(4), "{second}");
    let first = std::fs::read_to_string(machine.state().join("hive.lock")).unwrap();
    assert!(second.stderr.contains(first.trim()), "{second}");
}

#[tokio::test]
async fn a_stop_that_comes_twice_from_one_cause_is_one() {
    let (hub, machine) = machine().await;
    let _silent = hub.on(Requests::to(Route::Info)).answer(Fault::Hold);
    let mut hive = Running::start(&mut machine.hive(["serve"])).unwrap();
    hive.wait_for_stderr("serving").await.unwrap();
    let detached = ["model", "download", MODEL, "--detach"];
    machine.run_keeper(&detached).await.unwrap();
    // A process that stands still finds both when it goes on.
    for signal in [Signal::STOP, Signal::TERM, Signal::INT, Signal::CONT] {
        hive.signal(signal).unwrap();
    }
    let finished = hive.finish().await.unwrap();
    assert_eq!(finished.end, End::Exit(0), "{finished}");
    assert!(finished.stderr.contains("stopped"), "{finished}");
}

#[tokio::test]
async fn a_hive_beyond_loopback_without_tls_does_not_start() {
    let (_hub, machine) = machine().await;
    let mut command = machine.hive(["serve", "--listen", "0.0.0.0:0"]);
    let finished = Running::start(&mut command)
        .unwrap()
        .finish()
        .await
        .unwrap();
    assert_eq!(finished.end, End::Exit(2), "{finished}");
    transcript(&machine, || {
        insta::assert_snapshot!("beyond_loopback", finished);
    });
}

#[tokio::test]
async fn the_state_folder_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let (_hub, machine) = machine().await;
    machine.run_keeper(&["hive", "start"]).await.unwrap();
    let mode = |name: &str| {
        std::fs::symlink_metadata(machine.state().join(name))
            .unwrap()
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!(mode(""), 0o700);
    for name in ["hive.sock", "hive.db", "token"] {
        assert_eq!(mode(name), 0o600, "{name}");
    }
}
