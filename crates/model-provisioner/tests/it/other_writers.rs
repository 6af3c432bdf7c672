//! Other programs that write to the same store: another hive, and the Hub's own client with its lock and its names.

use std::{fs, fs::File, os::unix::fs::PermissionsExt};

use fake_hub::{FakeHub, Fault, Requests};
use model_provisioner::{Notice, ProvisionEvent};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::harness::{LIMIT, Machine, request, settings, tiny};

const FILE: &str = "tiny-Q4_K_M.gguf";

fn content() -> Vec<u8> {
    tiny().content(FILE).unwrap().to_vec()
}

fn etag() -> String {
    tiny().etag(FILE).unwrap().to_owned()
}

/// The lock of the Hub's own client on the blob.
fn their_lock(machine: &Machine) -> File {
    let folder = machine.store.join(".locks/models--org--tiny");
    fs::create_dir_all(&folder).unwrap();
    let lock = File::create(folder.join(format!("{}.lock", etag()))).unwrap();
    lock.try_lock().unwrap();
    lock
}

fn blobs(machine: &Machine) -> std::path::PathBuf {
    machine.store.join("models--org--tiny/blobs")
}

#[tokio::test]
async fn d25_two_hives_on_one_store_have_the_right_file_and_fetch_it_once() {
    let hub = FakeHub::builder().repository(tiny()).start().await;
    let one = Machine::new(&hub);
    let other = one.beside(settings(hub.endpoint()));
    let script = hub.on(Requests::cdn()).answer(Fault::StallAfter(1_000));
    let releasing = async {
        hub.cdn()
            .wait_for_bytes_sent(FILE, 1_000, LIMIT)
            .await
            .unwrap();
        script.release();
    };
    let (first, second, ()) = tokio::join!(
        one.download("org/tiny"),
        other.download("org/tiny"),
        releasing
    );
    for outcome in [first, second] {
        assert!(fs::read(outcome.result.unwrap().path).unwrap() == content());
    }
    assert_eq!(hub.cdn().requests().len(), 1);
}

#[tokio::test]
async fn d25_what_the_hubs_own_client_is_fetching_is_waited_for_and_taken() {
    let hub = FakeHub::builder().repository(tiny()).start().await;
    let machine = Machine::new(&hub);
    let lock = their_lock(&machine);
    let blobs = blobs(&machine);
    fs::create_dir_all(&blobs).unwrap();
    let theirs = blobs.join(format!("{}.incomplete", etag()));
    fs::write(&theirs, &content()[..1_000]).unwrap();
    let waits = Notify::new();
    let hear = |event: &ProvisionEvent| {
        if matches!(
            event,
            ProvisionEvent::Notice(Notice::WaitsForOtherDownload { .. })
        ) {
            waits.notify_one();
        }
    };
    let (model, never) = (request("org/tiny"), CancellationToken::new());
    let ours = machine.run_and_hear(&model, &never, true, hear);
    let finishing = async {
        waits.notified().await;
        fs::write(&theirs, content()).unwrap();
        fs::rename(&theirs, blobs.join(etag())).unwrap();
        drop(lock);
    };
    let (outcome, ()) = tokio::join!(ours, finishing);
    let published = outcome.result.unwrap();
    assert_eq!(published.bytes_received, 0);
    assert!(fs::read(published.path).unwrap() == content());
    assert_eq!(hub.cdn().requests().len(), 0);
}

#[tokio::test]
async fn d25_a_writer_that_asks_for_no_lock_leaves_one_right_file() {
    let hub = FakeHub::builder().repository(tiny()).start().await;
    let machine = Machine::new(&hub);
    let script = hub.on(Requests::cdn()).answer(Fault::StallAfter(1_000));
    let ours = machine.download("org/tiny");
    let writing = async {
        hub.cdn()
            .wait_for_bytes_sent(FILE, 1_000, LIMIT)
            .await
            .unwrap();
        let theirs = blobs(&machine).join(format!("{}.incomplete", etag()));
        fs::write(&theirs, content()).unwrap();
        fs::set_permissions(&theirs, fs::Permissions::from_mode(0o444)).unwrap();
        fs::rename(&theirs, blobs(&machine).join(etag())).unwrap();
        script.release();
    };
    let (outcome, ()) = tokio::join!(ours, writing);
    assert!(fs::read(outcome.result.unwrap().path).unwrap() == content());
    let names = fs::read_dir(blobs(&machine)).unwrap();
    let names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, [etag().as_str()]);
}

#[tokio::test]
async fn d25_a_partial_that_was_taken_away_midway_is_never_published_as_it_is() {
    let hub = FakeHub::builder().repository(tiny()).start().await;
    let machine = Machine::new(&hub);
    let script = hub.on(Requests::cdn()).answer(Fault::StallAfter(1_000));
    let ours = machine.download("org/tiny");
    let replacing = async {
        hub.cdn()
            .wait_for_bytes_sent(FILE, 1_000, LIMIT)
            .await
            .unwrap();
        let partial = blobs(&machine).join(format!("{}.hive-partial", etag()));
        fs::remove_file(&partial).unwrap();
        fs::write(&partial, vec![0; content().len()]).unwrap();
        script.release();
    };
    let (outcome, ()) = tokio::join!(ours, replacing);
    outcome.result.unwrap_err();
    assert_eq!(machine.published(), [""; 0]);
    // The next one finds a file that proves nothing, and fetches its own.
    let again = machine.download("org/tiny").await.result.unwrap();
    assert!(fs::read(again.path).unwrap() == content());
}
