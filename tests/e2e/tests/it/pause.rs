//! Pausing: the connections close, the bytes stay, and who watches is told and sees the download end right.

use std::{fs, time::Duration};

use e2e::{End, FILE, MODEL, Machine, Running, quantised, transcript};
use fake_hub::{FakeHub, Fault, Requests};
use rustix::process::Signal;

const FILE_BYTES: u64 = 8_000_000;
const SIGINT: i32 = 2;
const LIMIT: Duration = Duration::from_secs(20);

/// The CDN's rate while a test acts in the middle of a body.
const SLOW: Fault = Fault::Drip {
    bytes_per_second: 500_000,
};

async fn job(machine: &Machine, arguments: &[&str]) -> serde_json::Value {
    let json = [&["--format", "json", "job"], arguments].concat();
    let finished = machine.run_keeper(&json).await.unwrap();
    assert_eq!(finished.end, End::Exit(0), "{finished}");
    assert_eq!(finished.stderr, "", "{finished}");
    serde_json::from_str(&finished.stdout).unwrap()
}

#[tokio::test]
async fn a_download_is_paused_in_a_body_and_goes_on_from_the_bytes_that_are_kept() {
    let repository = quantised();
    let hub = FakeHub::builder()
        .repository(repository.clone())
        .start()
        .await;
    let slow = hub.on(Requests::cdn()).answer(SLOW);
    let machine = Machine::new(hub.endpoint().to_string()).unwrap();
    let mut keeper = Running::start(&mut machine.keeper(["model", "download", MODEL])).unwrap();
    hub.cdn()
        .wait_for_bytes_sent(FILE, 1_000_000, LIMIT)
        .await
        .unwrap();

    let paused = machine.run_keeper(&["job", "pause", "last"]).await.unwrap();
    hub.cdn()
        .wait_for_all_connections_closed(LIMIT)
        .await
        .unwrap();
    keeper
        .wait_for_stderr("paused; it goes on when it is resumed")
        .await
        .unwrap();
    let kept = job(&machine, &["pause", "last"]).await["partial_bytes_kept"]
        .as_u64()
        .unwrap();
    assert!((500_000..FILE_BYTES).contains(&kept), "{kept} bytes kept");

    slow.release();
    let sent_before = hub.cdn().bytes_sent(FILE);
    let resumed = machine
        .run_keeper(&["job", "resume", "last"])
        .await
        .unwrap();
    let finished = keeper.finish().await.unwrap();

    assert_eq!(finished.end, End::Exit(0), "{finished}");
    assert_eq!(hub.cdn().bytes_sent(FILE) - sent_before, FILE_BYTES - kept);
    assert_eq!(
        fs::read(finished.stdout.trim_end()).unwrap(),
        repository.content(FILE).unwrap().to_vec()
    );
    let late = machine.run_keeper(&["job", "pause", "last"]).await.unwrap();
    let again = machine
        .run_keeper(&["job", "resume", "last"])
        .await
        .unwrap();
    transcript(&machine, || {
        insta::assert_snapshot!("pause", paused);
        insta::assert_snapshot!("resume", resumed);
        // How much was received before the pause depends on how fast the machine is.
        let mut settings = insta::Settings::clone_current();
        settings.add_filter("[0-9.]+ MB of it received", "[some] of it received");
        settings.bind(|| insta::assert_snapshot!("watched_pause", finished));
        insta::assert_snapshot!("pause_too_late", late);
        insta::assert_snapshot!("resume_too_late", again);
    });
}

#[tokio::test]
async fn ctrl_c_cancels_a_paused_download_too() {
    let hub = FakeHub::builder().repository(quantised()).start().await;
    let _slow = hub.on(Requests::cdn()).answer(SLOW);
    let machine = Machine::new(hub.endpoint().to_string()).unwrap();
    let mut keeper = Running::start(&mut machine.keeper(["model", "download", MODEL])).unwrap();
    hub.cdn()
        .wait_for_bytes_sent(FILE, 1_000_000, LIMIT)
        .await
        .unwrap();
    assert_eq!(job(&machine, &["pause", "last"]).await["state"], "paused");
    keeper.wait_for_stderr("paused;").await.unwrap();

    keeper.signal(Signal::INT).unwrap();
    let finished = keeper.finish().await.unwrap();

    assert_eq!(finished.end, End::Signal(SIGINT), "{finished}");
    assert!(finished.stderr.contains("Kept "), "{finished}");
    let shown = job(&machine, &["show", "last"]).await;
    assert_eq!(shown["state"], "cancelled");
}

#[tokio::test]
async fn a_job_that_waits_is_paused_and_only_an_existing_one_can_be() {
    let hub = FakeHub::builder().repository(quantised()).start().await;
    hub.hold_api();
    let machine = Machine::new(hub.endpoint().to_string()).unwrap();
    let _hive = machine.start_hive(&["--max-jobs", "1"]).await.unwrap();
    for quantisation in ["Q4_K_M", "Q8_0"] {
        let model = format!("{MODEL}:{quantisation}");
        let download = ["model", "download", &model, "--detach"];
        let submitted = machine.run_keeper(&download).await.unwrap();
        assert_eq!(submitted.end, End::Exit(0), "{submitted}");
    }
    assert_eq!(job(&machine, &["show", "last"]).await["state"], "queued");
    assert_eq!(job(&machine, &["pause", "last"]).await["state"], "paused");
    assert_eq!(job(&machine, &["resume", "last"]).await["state"], "queued");

    for verb in ["pause", "resume"] {
        let unknown = machine
            .run_keeper(&["job", verb, "019a0000-0000-7000-8000-000000000000"])
            .await
            .unwrap();
        assert_eq!(unknown.end, End::Exit(5), "{unknown}");
    }
}
