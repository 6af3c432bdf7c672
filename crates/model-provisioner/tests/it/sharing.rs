//! Downloads that need the same blob: it is fetched once.

use std::{fs, os::unix::fs::MetadataExt, path::Path};

use fake_hub::{Content, FakeHub, Fault, Repository, Requests, Route};
use model_provisioner::{Notice, ProvisionError, ProvisionEvent};
use tokio_util::sync::CancellationToken;

use crate::harness::{LIMIT, Machine, Outcome, request, tiny};

const PATH: &str = "tiny-Q4_K_M.gguf";

#[tokio::test]
async fn d25_two_downloads_of_one_blob_fetch_it_once() {
    let hub = FakeHub::builder().repository(tiny()).start().await;
    let machine = Machine::new(&hub);
    let script = hub.on(Requests::cdn()).answer(Fault::Hold);
    let (model, stop) = (request("org/tiny"), CancellationToken::new());
    let one = machine.run(&model, &stop, true);
    let other = machine.run(&model, &stop, true);
    let releasing = async {
        // Both have their plan and one of them holds the blob's lock.
        hub.cdn()
            .wait_for_request(&Requests::cdn(), LIMIT)
            .await
            .unwrap();
        script.release();
    };
    let (one, other, ()) = tokio::join!(one, other, releasing);
    let received = [one.result.unwrap(), other.result.unwrap()].map(|model| model.bytes_received);
    // They came once, and each of the two waited for them.
    assert_eq!(received, [300_000, 300_000]);
    assert_eq!(hub.cdn().requests().len(), 1);
}

#[tokio::test]
async fn one_that_waits_for_another_says_so_and_can_be_cancelled() {
    let hub = FakeHub::builder().repository(tiny()).start().await;
    let machine = Machine::new(&hub);
    hub.on(Requests::cdn()).answer(Fault::StallAfter(1_000));
    let model = request("org/tiny");
    let (first_stop, second_stop) = (CancellationToken::new(), CancellationToken::new());
    let first = machine.run(&model, &first_stop, true);
    let second = async {
        hub.cdn()
            .wait_for_request(&Requests::cdn(), LIMIT)
            .await
            .unwrap();
        let hear = |event: &ProvisionEvent| {
            if matches!(
                event,
                ProvisionEvent::Notice(Notice::WaitsForOtherDownload { .. })
            ) {
                second_stop.cancel();
            }
        };
        let outcome = machine.run_and_hear(&model, &second_stop, true, hear).await;
        first_stop.cancel();
        outcome
    };
    let (first, second) = tokio::join!(first, second);
    for ended in [first, second] {
        assert!(matches!(ended.failure(), ProvisionError::Cancelled));
    }
    assert_eq!(hub.cdn().requests().len(), 1);
}

#[tokio::test]
async fn two_paths_of_one_download_that_share_a_blob_fetch_it_once() {
    let content = Content::safetensors("a", 50_000);
    let repository = tiny()
        .with_id("org/twice")
        .without_file("tiny-Q4_K_M.gguf")
        .large_file("a/model.safetensors", content.clone())
        .large_file("b/model.safetensors", content);
    let hub = FakeHub::builder().repository(repository).start().await;
    let machine = Machine::new(&hub);
    for (force, received) in [(false, 50_002), (true, 50_002)] {
        let mut model = request("org/twice");
        model.force_download = force;
        let before = hub.cdn().requests().len();
        let published = machine
            .run(&model, &CancellationToken::new(), true)
            .await
            .result
            .unwrap();
        assert_eq!((published.files, published.bytes_received), (3, received));
        assert_eq!(hub.cdn().requests().len(), before + 1);
    }
}

/// Two downloads of one blob: `second` begins when the first has come as far as `begun` says, and what it does at the
/// news that it shares the transfer is `shared`.
async fn two(
    machine: &Machine,
    (one, other): (&str, &str),
    begun: impl Future<Output = ()>,
    mut shared: impl FnMut(),
) -> (Outcome, Outcome) {
    let (one, other) = (request(one), request(other));
    let never = CancellationToken::new();
    let first = machine.run(&one, &never, true);
    let second = async {
        begun.await;
        let hear = |event: &ProvisionEvent| {
            let notice = Notice::WaitsForOtherDownload {
                path: PATH.to_owned(),
            };
            if matches!(event, ProvisionEvent::Notice(told) if *told == notice) {
                shared();
            }
        };
        machine.run_and_hear(&other, &never, true, hear).await
    };
    tokio::join!(Box::pin(first), Box::pin(second))
}

#[tokio::test]
async fn d25_a_cancel_of_one_leaves_the_bytes_of_the_other_flowing() {
    let hub = FakeHub::builder().repository(tiny()).start().await;
    let machine = Machine::new(&hub);
    let script = hub.on(Requests::cdn()).answer(Fault::StallAfter(1_000));
    let begun = async {
        hub.cdn()
            .wait_for_bytes_sent(PATH, 1_000, LIMIT)
            .await
            .unwrap();
    };
    let stop = CancellationToken::new();
    let (ended, has_ended) = tokio::sync::oneshot::channel();
    let (model, never) = (request("org/tiny"), CancellationToken::new());
    let first = async {
        let outcome = machine.run(&model, &stop, true).await;
        ended.send(hub.cdn().open_connections()).unwrap();
        outcome
    };
    let second = async {
        begun.await;
        let hear = |event: &ProvisionEvent| {
            if matches!(event, ProvisionEvent::Notice(_)) {
                stop.cancel();
            }
        };
        machine.run_and_hear(&model, &never, true, hear).await
    };
    let releasing = async {
        // The first has ended, and the connection that both needed is open.
        assert_eq!(has_ended.await.unwrap(), 1);
        script.release();
    };
    let (first, second, ()) = tokio::join!(first, second, releasing);
    assert!(matches!(first.failure(), ProvisionError::Cancelled));
    // What came before it joined is not its own.
    assert!((299_000..=300_000).contains(&second.result.unwrap().bytes_received));
    assert_eq!(hub.cdn().requests().len(), 1);
}

#[tokio::test]
async fn d25_a_blob_of_two_repositories_is_fetched_once_and_linked() {
    let content = Content::gguf("tiny", 300_000);
    let hub = FakeHub::builder()
        .repository(tiny())
        .repository(Repository::dataset("org/data").large_file(PATH, content))
        .start()
        .await;
    let machine = Machine::new(&hub);
    let script = hub.on(Requests::cdn()).answer(Fault::Hold);
    let begun = async {
        hub.cdn()
            .wait_for_request(&Requests::cdn(), LIMIT)
            .await
            .unwrap();
    };
    let models = ("org/tiny", "datasets/org/data");
    let (one, other) = two(&machine, models, begun, || script.release()).await;
    let (one, other) = (one.result.unwrap(), other.result.unwrap());
    assert_eq!(
        (one.bytes_received, other.bytes_received),
        (300_000, 300_000)
    );
    assert_eq!(hub.cdn().requests().len(), 1);
    let inode = |path: &Path| fs::metadata(path).unwrap().ino();
    assert_eq!(inode(&one.path), inode(&other.path.join(PATH)));
}

#[tokio::test]
async fn d16_a_failure_reaches_everyone_who_waits() {
    let hub = FakeHub::builder().repository(tiny()).start().await;
    let machine = Machine::new(&hub);
    hub.on(Requests::cdn()).answer(Fault::WrongByteAt(200_000));
    let script = hub.on(Requests::cdn()).answer(Fault::Hold);
    let begun = async {
        hub.cdn()
            .wait_for_request(&Requests::cdn(), LIMIT)
            .await
            .unwrap();
    };
    let models = ("org/tiny", "org/tiny");
    let (one, other) = two(&machine, models, begun, || script.release()).await;
    for outcome in [one, other] {
        let failure = outcome.failure();
        assert!(
            matches!(failure, ProvisionError::IntegrityMismatch { .. }),
            "{failure:?}"
        );
    }
    assert_eq!(machine.paths(), [""; 0]);
}

#[tokio::test]
async fn a_way_that_is_closed_to_one_repository_is_not_closed_to_the_other() {
    let hub = FakeHub::builder()
        .repository(tiny())
        .repository(tiny().with_id("org/copy"))
        .start()
        .await;
    let machine = Machine::new(&hub);
    let resolves = Requests::to(Route::Resolve).repository("org/tiny");
    hub.on(resolves.clone()).answer(Fault::Status(403));
    let script = hub.on(resolves.clone()).answer(Fault::Hold);
    let begun = async {
        hub.api().wait_for_request(&resolves, LIMIT).await.unwrap();
    };
    let models = ("org/tiny", "org/copy");
    let (one, other) = two(&machine, models, begun, || script.release()).await;
    assert!(matches!(one.failure(), ProvisionError::AccessDenied { .. }));
    assert_eq!(other.result.unwrap().bytes_received, 300_000);
}

#[tokio::test]
async fn the_last_to_leave_ends_the_transfer_and_says_what_is_kept() {
    let hub = FakeHub::builder().repository(tiny()).start().await;
    let machine = Machine::new(&hub);
    hub.on(Requests::cdn()).answer(Fault::StallAfter(100_000));
    let stop = CancellationToken::new();
    let hear = |event: &ProvisionEvent| {
        if matches!(event, ProvisionEvent::Progress(figures) if figures.bytes_done == 100_000) {
            stop.cancel();
        }
    };
    let outcome = machine
        .run_and_hear(&request("org/tiny"), &stop, true, hear)
        .await;
    assert_eq!(outcome.bytes_kept, 100_000);
    assert!(matches!(outcome.failure(), ProvisionError::Cancelled));
    hub.cdn()
        .wait_for_all_connections_closed(LIMIT)
        .await
        .unwrap();
}

#[tokio::test]
async fn what_is_kept_of_two_paths_with_one_blob_is_counted_once() {
    let content = Content::safetensors("a", 50_000);
    let repository = tiny()
        .with_id("org/twice")
        .without_file(PATH)
        .without_file("config.json")
        .large_file("a/model.safetensors", content.clone())
        .large_file("b/model.safetensors", content);
    let hub = FakeHub::builder().repository(repository).start().await;
    let machine = Machine::new(&hub);
    hub.on(Requests::cdn()).answer(Fault::StallAfter(10_000));
    let stop = CancellationToken::new();
    let hear = |event: &ProvisionEvent| {
        if let ProvisionEvent::Progress(figures) = event
            && figures.files.len() == 2
            && figures.files.iter().all(|file| file.bytes_done == 10_000)
        {
            stop.cancel();
        }
    };
    let model = request("org/twice");
    let outcome = machine.run_and_hear(&model, &stop, true, hear).await;
    assert_eq!(outcome.bytes_kept, 10_000);
}
