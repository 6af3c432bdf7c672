//! A rate limit: a download keeps to it and says so, and it can be changed while the download runs.

use e2e::{End, MODEL, Machine, Running, quantised, transcript};
use fake_hub::FakeHub;

#[tokio::test]
async fn a_download_is_held_back_by_its_limit_until_that_is_lifted() {
    let hub = FakeHub::builder().repository(quantised()).start().await;
    let machine = Machine::new(hub.endpoint().to_string()).unwrap();
    // At this rate the model takes more than ten minutes.
    let download = ["model", "download", MODEL, "--limit-rate", "10kB"];
    let mut keeper = Running::start(machine.keeper(["--format", "json"]).args(download)).unwrap();
    keeper
        .wait_for_stdout(r#""limited_by":"rate_limit""#)
        .await
        .unwrap();
    let shown = machine.run_keeper(&["job", "show", "last"]).await.unwrap();
    assert!(shown.stdout.contains("  Limit  10 kB/s\n"), "{shown}");
    let why = "  Speed  held back by the rate limit of 10 kB/s\n";
    assert!(shown.stdout.contains(why), "{shown}");

    let lifted = machine
        .run_keeper(&["job", "limit", "last", "off"])
        .await
        .unwrap();
    let finished = keeper.finish().await.unwrap();

    assert_eq!(finished.end, End::Exit(0), "{finished}");
    let told = r#""code":"rate_limit_changed""#;
    assert!(finished.stdout.contains(told), "{finished}");
    let late = machine
        .run_keeper(&["job", "limit", "last", "20MB"])
        .await
        .unwrap();
    transcript(&machine, || {
        insta::assert_snapshot!("limit_lifted", lifted);
        insta::assert_snapshot!("limit_too_late", late);
    });
}

#[tokio::test]
async fn the_limit_and_the_connections_of_a_hive_hold_for_all_its_downloads() {
    let hub = FakeHub::builder().repository(quantised()).start().await;
    let machine = Machine::new(hub.endpoint().to_string()).unwrap();
    let limits = ["--limit-rate", "10kB", "--connections", "2"];
    let _hive = machine.start_hive(&limits).await.unwrap();
    let mut keeper =
        Running::start(&mut machine.keeper(["--format", "json", "model", "download", MODEL]))
            .unwrap();
    keeper
        .wait_for_stdout(r#""limited_by":"rate_limit""#)
        .await
        .unwrap();
    let shown = machine.run_keeper(&["job", "show", "last"]).await.unwrap();
    let why = "  Speed  held back by the hive's rate limit of 10 kB/s for all downloads\n";
    assert!(shown.stdout.contains(why), "{shown}");
    let status = machine.run_keeper(&["hive", "status"]).await.unwrap();
    let fetch = "  Fetch  over 2 connections at most, 10 kB/s at most\n";
    assert!(status.stdout.contains(fetch), "{status}");
    let cancelled = machine
        .run_keeper(&["job", "cancel", "last"])
        .await
        .unwrap();
    assert_eq!(cancelled.end, End::Exit(0), "{cancelled}");
}

#[tokio::test]
async fn a_job_that_is_retried_keeps_its_limit() {
    let hub = FakeHub::builder().repository(quantised()).start().await;
    let machine = Machine::new(hub.endpoint().to_string()).unwrap();
    let done = async |arguments: &[&str]| {
        let finished = machine.run_keeper(arguments).await.unwrap();
        assert_eq!(finished.end, End::Exit(0), "{finished}");
    };
    done(&[
        "model",
        "download",
        MODEL,
        "--limit-rate",
        "20kB",
        "--detach",
    ])
    .await;
    done(&["job", "limit", "last", "10kB"]).await;
    done(&["job", "cancel", "last"]).await;

    let retry = ["--format", "json", "job", "retry", "last"];
    let mut keeper = Running::start(&mut machine.keeper(retry)).unwrap();
    keeper
        .wait_for_stdout(r#""limit_bytes_per_second":10000"#)
        .await
        .unwrap();
    done(&["job", "cancel", "last"]).await;
}
