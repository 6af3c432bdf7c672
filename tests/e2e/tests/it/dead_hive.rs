//! A hive that dies under a keeper: keeper starts it again and goes on, and leaves one alone that was stopped.

use std::{fs, io, path::Path, time::Duration};

use e2e::{End, FILE, MODEL, Machine, Running, quantised, slowly, transcript};
use fake_hub::{FakeHub, Fault, Requests, Script};
use rustix::process::Signal;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
};

const LIMIT: Duration = Duration::from_secs(20);

async fn machine() -> (FakeHub, Machine) {
    let hub = FakeHub::builder().repository(quantised()).start().await;
    let machine = Machine::new(hub.endpoint().to_string()).unwrap();
    (hub, machine)
}

/// A keeper in the middle of its download, slow until the script is released.
async fn receiving(hub: &FakeHub, machine: &Machine) -> (Script, Running) {
    let slow = hub.on(Requests::cdn()).answer(Fault::Drip {
        bytes_per_second: 500_000,
    });
    let keeper = Running::start(&mut machine.keeper(["model", "download", MODEL])).unwrap();
    hub.cdn()
        .wait_for_bytes_sent(FILE, 100_000, LIMIT)
        .await
        .unwrap();
    (slow, keeper)
}

/// The numbers of the logged events that a keeper printed as JSON.
fn sequences(stdout: &str) -> Vec<u64> {
    let lines = stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines
        .filter(|line| line["event"].is_string() && line["event"] != "snapshot")
        .filter_map(|line| line["data"]["sequence"].as_u64())
        .collect()
}

#[tokio::test]
async fn a_keeper_starts_the_killed_hive_again_and_its_download_ends_right() {
    let (hub, machine) = machine().await;
    let (slow, mut keeper) = receiving(&hub, &machine).await;
    let watch = ["--format", "json", "job", "watch", "last"];
    let mut watch = Running::start(&mut machine.keeper(watch)).unwrap();
    watch.wait_for_stdout("snapshot").await.unwrap();

    machine.kill_hive().unwrap();
    keeper
        .wait_for_stderr("connected again after")
        .await
        .unwrap();
    slow.release();
    let finished = keeper.finish().await.unwrap();
    let watched = watch.finish().await.unwrap();

    assert_eq!(finished.end, End::Exit(0), "{finished}");
    let content = quantised().content(FILE).unwrap().to_vec();
    assert!(fs::read(finished.stdout.trim_end()).unwrap() == content);
    // Whichever keeper was faster says so; the other finds a hive that runs.
    assert_eq!(watched.end, End::Exit(0), "{watched}");
    let seen = sequences(&watched.stdout);
    assert!(
        seen.windows(2).all(|pair| pair[0] + 1 == pair[1]),
        "an event is missing or comes twice: {seen:?}"
    );
}

#[tokio::test]
async fn what_a_person_reads_when_the_hive_dies() {
    let (hub, machine) = machine().await;
    let (slow, mut keeper) = receiving(&hub, &machine).await;
    machine.kill_hive().unwrap();
    keeper
        .wait_for_stderr("connected again after")
        .await
        .unwrap();
    slow.release();
    let finished = keeper.finish().await.unwrap();
    transcript(&machine, || {
        // How much was received before the hive died depends on how fast the machine is.
        let mut settings = insta::Settings::clone_current();
        settings.add_filter("[0-9.]+ MB of it received", "[some] of it received");
        // The stream may break a moment before it can be seen that no hive is there.
        settings.add_filter("lost, the job goes on, trying", "lost, trying");
        settings.bind(|| insta::assert_snapshot!("dead_hive", finished));
    });
}

#[tokio::test]
async fn a_hive_that_was_stopped_stays_stopped_until_someone_starts_it() {
    let (hub, machine) = machine().await;
    let (slow, mut keeper) = receiving(&hub, &machine).await;

    let stopped = machine.run_keeper(&["hive", "stop"]).await.unwrap();
    assert_eq!(stopped.end, End::Exit(0), "{stopped}");
    keeper
        .wait_for_stderr("the hive was stopped;")
        .await
        .unwrap();
    assert!(!machine.state().join("hive.sock").exists());
    machine.run_keeper(&["hive", "start"]).await.unwrap();
    keeper
        .wait_for_stderr("connected again after")
        .await
        .unwrap();
    slow.release();
    let finished = keeper.finish().await.unwrap();

    assert_eq!(finished.end, End::Exit(0), "{finished}");
    assert!(!finished.stderr.contains("started it again"), "{finished}");
    assert!(finished.stderr.contains("no event missed"), "{finished}");
}

#[tokio::test]
async fn a_keeper_that_may_start_no_hive_says_so_and_waits_for_one() {
    let (hub, machine) = machine().await;
    slowly(&hub);
    let _hive = machine.start_hive(&[]).await.unwrap();
    let mut command = machine.keeper(["model", "download", MODEL]);
    let mut keeper = Running::start(command.env("KEEPER_NO_AUTOSTART", "1")).unwrap();
    hub.cdn()
        .wait_for_bytes_sent(FILE, 100_000, LIMIT)
        .await
        .unwrap();

    machine.kill_hive().unwrap();
    keeper
        .wait_for_stderr("the hive has died, and KEEPER_NO_AUTOSTART forbids to start it")
        .await
        .unwrap();
    keeper.signal(Signal::TERM).unwrap();
    let finished = keeper.finish().await.unwrap();
    assert_eq!(finished.end, End::Signal(15), "{finished}");
}

#[tokio::test]
async fn a_hive_that_dies_again_and_again_is_given_up() {
    let (hub, machine) = machine().await;
    slowly(&hub);
    let download = ["model", "download", MODEL, "--detach"];
    machine.run_keeper(&download).await.unwrap();
    // Nothing of a paused job runs, so no death of a hive is its.
    machine.run_keeper(&["job", "pause", "last"]).await.unwrap();
    let mut keeper = Running::start(&mut machine.keeper(["job", "watch", "last"])).unwrap();
    keeper.wait_for_stderr("paused;").await.unwrap();
    for times in 1..=5 {
        machine.kill_hive().unwrap();
        let again = format!("started it again ({times} of 5)");
        keeper.wait_for_stderr(&again).await.unwrap();
    }
    machine.kill_hive().unwrap();
    let finished = keeper.finish().await.unwrap();
    assert_eq!(finished.end, End::Exit(3), "{finished}");
    assert!(
        finished
            .stderr
            .contains("The hive has died again after 5 new starts"),
        "{finished}"
    );
}

/// Stands where the hive's socket was, hands everything on to it, and kills it when it has answered a submission: the job
/// is durable and its answer lost.
async fn lose_the_answer(machine: &Machine) -> io::Result<()> {
    let socket = machine.state().join("hive.sock");
    let behind = machine.state().join("behind.sock");
    fs::rename(&socket, &behind)?;
    let door = UnixListener::bind(&socket)?;
    loop {
        let (keeper, _) = door.accept().await?;
        if hand_on(keeper, &behind).await? {
            machine.kill_hive().map_err(io::Error::other)?;
            return Ok(());
        }
    }
}

/// Hands one request and its answer on, and true where that was an answer to a submission, which is not handed on.
async fn hand_on(mut keeper: UnixStream, behind: &Path) -> io::Result<bool> {
    let mut hive = UnixStream::connect(behind).await?;
    let mut buffer = vec![0; 64 * 1024];
    let asked = keeper.read(&mut buffer).await?;
    let is_submission = buffer.starts_with(b"POST /v1/jobs");
    hive.write_all(&buffer[..asked]).await?;
    let answered = hive.read(&mut buffer).await?;
    if !is_submission {
        keeper.write_all(&buffer[..answered]).await?;
    }
    Ok(is_submission)
}

#[tokio::test]
async fn a_hive_that_dies_between_commit_and_answer_has_one_job_when_it_runs_again() {
    let (_hub, machine) = machine().await;
    let _hive = machine.start_hive(&[]).await.unwrap();
    let mut command = machine.keeper(["model", "download", MODEL]);
    let (lost, keeper) = tokio::join!(lose_the_answer(&machine), async {
        Running::start(&mut command).unwrap().finish().await
    });
    lost.unwrap();
    let finished = keeper.unwrap();

    assert_eq!(finished.end, End::Exit(0), "{finished}");
    let started_again = "the hive had died, started it again (1 of 5)";
    assert!(finished.stderr.contains(started_again), "{finished}");
    let listed = machine
        .run_keeper(&["--format", "json", "job", "list"])
        .await
        .unwrap();
    let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
    assert_eq!(listed["jobs"].as_array().unwrap().len(), 1, "{listed}");
}
