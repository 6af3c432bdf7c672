//! A hive that is killed in the middle of a download: nothing of it is visible, and the next one goes on.

use std::{fs, time::Duration};

use e2e::{End, FILE, MODEL, Machine, quantised};
use fake_hub::{FakeHub, Fault, Requests};
use rustix::process::Signal;

const LIMIT: Duration = Duration::from_secs(30);

#[tokio::test]
async fn d23_a_hive_that_is_killed_goes_on_from_its_record_at_the_next_start() {
    let repository = quantised();
    let hub = FakeHub::builder()
        .repository(repository.clone())
        .start()
        .await;
    let stalled = hub.on(Requests::cdn()).answer(Fault::StallAfter(6_000_000));
    let machine = Machine::new(hub.endpoint().to_string()).unwrap();
    let killed = machine.start_hive(&[]).await.unwrap();
    let submitted = machine
        .run_keeper(&["model", "download", "--detach", MODEL])
        .await
        .unwrap();
    assert_eq!(submitted.end, End::Exit(0), "{submitted}");

    let folder = machine.store().join("models--acme--Tiny-GGUF");
    let etag = repository.etag(FILE).unwrap();
    let partial = folder.join(format!("blobs/{etag}.hive-partial"));
    let has_come = async {
        while fs::metadata(&partial).map_or(0, |file| file.len()) < 6_000_000 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(LIMIT, has_come).await.unwrap();
    killed.signal(Signal::KILL).unwrap();
    assert_eq!(killed.finish().await.unwrap().end, End::Signal(9));
    assert!(!folder.join("snapshots").exists());
    assert!(!folder.join("blobs").join(etag).exists());

    stalled.release();
    let _next = machine.start_hive(&[]).await.unwrap();
    let watched = machine.run_keeper(&["job", "watch", "last"]).await.unwrap();
    assert_eq!(watched.end, End::Exit(0), "{watched}");
    let snapshot = folder.join("snapshots").join(repository.commit());
    let content = repository.content(FILE).unwrap().to_vec();
    assert!(fs::read(snapshot.join(FILE)).unwrap() == content);
    assert!(!partial.exists());

    // A record is written every few mebibytes, and only what it does not know of comes twice.
    let requests = hub.cdn().requests();
    let asked = requests.last().unwrap().header("range").unwrap();
    let start = asked
        .strip_prefix("bytes=")
        .unwrap()
        .split_once('-')
        .unwrap();
    let start: u64 = start.0.parse().unwrap();
    assert!(start >= 4_000_000, "it went on at byte {start}");
}
