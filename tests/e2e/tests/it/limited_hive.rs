//! A hive under a limit on the size of files.

use e2e::{End, MODEL, Machine, Running, quantised};
use fake_hub::FakeHub;

#[tokio::test]
async fn d22_a_limit_on_the_size_of_files_fails_the_job_and_not_the_hive() {
    let hub = FakeHub::builder().repository(quantised()).start().await;
    let machine = Machine::new(hub.endpoint().to_string()).unwrap();
    // In blocks of 512 bytes: less than the model's 8 MB.
    let limited = "ulimit -f 8000; exec hive serve";
    let mut hive = Running::start(&mut machine.program("sh", ["-c", limited])).unwrap();
    hive.wait_for_stderr("serving").await.unwrap();

    let failed = machine
        .run_keeper(&["--format", "json", "model", "download", MODEL])
        .await
        .unwrap();

    assert_eq!(failed.end, End::Exit(75), "{failed}");
    let job: serde_json::Value =
        serde_json::from_str(failed.stdout.lines().last().unwrap()).unwrap();
    assert_eq!(job["error"]["code"], "io_error", "{failed}");
    let status = machine.run_keeper(&["hive", "status"]).await.unwrap();
    assert_eq!(status.end, End::Exit(0), "{status}");
}
