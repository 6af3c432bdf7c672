//! What an ended download leaves, for which commit it was, and how it goes on or goes away.

use std::{fs, time::SystemTime};

use fake_hub::{Content, FakeHub, Fault, Requests, Script};
use model_provisioner::{Commit, DownloadRequest, Notice, ProvisionError, ProvisionEvent};
use tokio_util::sync::CancellationToken;

use crate::harness::{LIMIT, Machine, request, tiny};

/// Cancels a download of `org/tiny` when it has 100,000 bytes.
async fn leave_a_partial(hub: &FakeHub, machine: &Machine) -> Script {
    let script = hub.on(Requests::cdn()).answer(Fault::StallAfter(100_000));
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
    hub.cdn()
        .wait_for_all_connections_closed(LIMIT)
        .await
        .unwrap();
    script
}

fn partials(machine: &Machine) -> Vec<String> {
    let mut paths = machine.paths();
    paths.retain(|path| path.contains("hive-partial"));
    paths
}

#[tokio::test]
async fn what_was_received_is_not_received_again() {
    let hub = FakeHub::builder().repository(tiny()).start().await;
    let machine = Machine::new(&hub);
    leave_a_partial(&hub, &machine).await.release();
    let before = hub.cdn().bytes_sent_total();
    let published = machine.download("org/tiny").await.result.unwrap();
    assert_eq!(published.bytes_received, 200_000);
    assert_eq!(hub.cdn().bytes_sent_total() - before, 200_000);
    assert_eq!(partials(&machine), [""; 0]);
}

#[tokio::test]
async fn what_a_download_has_left_can_be_told_from_the_store_alone() {
    let repository = tiny();
    let hub = FakeHub::builder()
        .repository(repository.clone())
        .start()
        .await;
    let machine = Machine::new(&hub);
    let begun = SystemTime::now();
    leave_a_partial(&hub, &machine).await.release();
    let wanted = request("org/tiny");
    let commit = Commit::new(&repository.commit()).unwrap();
    let left = async || {
        let left = machine
            .provisioner
            .left_bytes(wanted.model.repo(), &commit, begun);
        left.await.unwrap()
    };
    assert_eq!(left().await, 100_000);

    // Whole, and not published.
    let stop = CancellationToken::new();
    let refused = machine.run(&wanted, &stop, false).await;
    assert_eq!((refused.asked, refused.bytes_kept), (1, 300_000));
    assert_eq!(left().await, 300_000);

    machine.download("org/tiny").await.result.unwrap();
    assert_eq!(left().await, 0);
}

#[tokio::test]
async fn what_a_cancel_finds_unopened_is_kept_all_the_same() {
    let hub = FakeHub::builder().repository(tiny()).start().await;
    let machine = Machine::new(&hub);
    leave_a_partial(&hub, &machine).await.release();
    let stop = CancellationToken::new();
    let hear = |event: &ProvisionEvent| {
        if matches!(event, ProvisionEvent::Planned(_)) {
            stop.cancel();
        }
    };
    let wanted = request("org/tiny");
    let again = machine.run_and_hear(&wanted, &stop, true, hear).await;
    assert_eq!(again.bytes_kept, 100_000);
}

#[tokio::test]
async fn what_came_whole_while_all_is_fetched_again_is_kept_and_what_was_here_before_is_not_told() {
    let hub = FakeHub::builder().repository(tiny()).start().await;
    let machine = Machine::new(&hub);
    machine.download("org/tiny").await.result.unwrap();
    let blobs = machine.store.join("models--org--tiny/blobs");
    let aside = machine.store.join("aside");
    let mut forced = request("org/tiny");
    forced.force_download = true;
    for (was_here, told) in [(true, 0), (false, 300_000)] {
        if !was_here {
            fs::rename(&blobs, &aside).unwrap();
        }
        let stop = CancellationToken::new();
        let hear = |event: &ProvisionEvent| {
            if matches!(event, ProvisionEvent::Planned(_)) {
                if !was_here {
                    fs::rename(&aside, &blobs).unwrap();
                }
                stop.cancel();
            }
        };
        let ended = machine.run_and_hear(&forced, &stop, true, hear).await;
        assert_eq!(ended.bytes_kept, told, "{was_here}");
    }
}

#[tokio::test]
async fn a_download_that_ended_before_it_looked_says_nothing_of_what_is_kept() {
    let hub = FakeHub::builder().repository(tiny()).start().await;
    let machine = Machine::new(&hub);
    let stop = CancellationToken::new();
    stop.cancel();
    let (events, _inbox) = tokio::sync::mpsc::channel(8);
    let wanted = request("org/tiny");
    let ended = machine.provisioner.download(&wanted, events, &stop).await;
    assert_eq!(ended.unwrap_err().bytes_kept, None);
}

#[tokio::test]
async fn bytes_of_a_commit_that_main_has_left_are_named_with_the_way_to_finish_them() {
    let first = tiny();
    let hub = FakeHub::builder().repository(first.clone()).start().await;
    let machine = Machine::new(&hub);
    leave_a_partial(&hub, &machine).await.release();
    let second = first
        .clone()
        .large_file("tiny-Q4_K_M.gguf", Content::gguf("other", 200_000));
    hub.push(second);

    let moved = machine.download("org/tiny").await;
    let kept: Vec<_> = moved
        .told
        .iter()
        .filter_map(|event| match event {
            ProvisionEvent::Notice(Notice::KeptFromOtherCommit { repo, commit, .. }) => {
                Some((repo.clone(), commit.clone()))
            }
            _ => None,
        })
        .collect();
    assert_eq!(kept, [("org/tiny".to_owned(), first.commit())]);
    moved.result.unwrap();

    // The named way finishes it, and then there is nothing more to say.
    let before = hub.cdn().bytes_sent_total();
    let finish = format!("org/tiny@{}", first.commit());
    machine.download(&finish).await.result.unwrap();
    assert_eq!(hub.cdn().bytes_sent_total() - before, 200_000);
    let again = machine.download("org/tiny").await;
    assert!(!again.story().iter().any(|told| told.starts_with("Kept")));
}

#[tokio::test]
async fn what_was_received_can_be_thrown_away() {
    let repository = tiny();
    let hub = FakeHub::builder()
        .repository(repository.clone())
        .start()
        .await;
    let machine = Machine::new(&hub);
    leave_a_partial(&hub, &machine).await.release();
    let repo = request("org/tiny").model.repo().clone();
    let other = Commit::new(&"0".repeat(40)).unwrap();
    let discard = async |commit| machine.provisioner.discard_partials(&repo, commit).await;
    assert_eq!(discard(&other).await.unwrap(), 0);
    assert_ne!(partials(&machine), [""; 0]);
    let commit = Commit::new(&repository.commit()).unwrap();
    assert!(discard(&commit).await.unwrap() >= 100_000);
    assert_eq!(partials(&machine), [""; 0]);
}

#[tokio::test]
async fn d23_what_a_kill_left_beside_a_placed_blob_goes_with_the_next_download() {
    let repository = tiny();
    let blob = repository.etag("tiny-Q4_K_M.gguf").unwrap().to_owned();
    let hub = FakeHub::builder().repository(repository).start().await;
    let machine = Machine::new(&hub);
    machine.download("org/tiny").await.result.unwrap();
    let right = machine.paths();

    let partial = format!("models--org--tiny/blobs/{blob}.hive-partial");
    for companion in [".json", ".json.new", ".commit"] {
        std::fs::write(machine.store.join(format!("{partial}{companion}")), "{}").unwrap();
    }
    machine.download("org/tiny").await.result.unwrap();
    assert_eq!(machine.paths(), right);
}

#[tokio::test]
async fn bytes_that_were_here_are_not_told_as_received() {
    let hub = FakeHub::builder().repository(tiny()).start().await;
    let machine = Machine::new(&hub);
    leave_a_partial(&hub, &machine).await.release();
    hub.on(Requests::cdn()).answer(Fault::StallAfter(0));
    let stop = CancellationToken::new();
    let mut received = None;
    let hear = |event: &ProvisionEvent| {
        if let ProvisionEvent::Progress(figures) = event
            && figures.bytes_done == 100_000
        {
            received = Some(figures.bytes_received);
            stop.cancel();
        }
    };
    let model = request("org/tiny");
    machine
        .run_and_hear(&model, &stop, true, hear)
        .await
        .failure();
    assert_eq!(received, Some(0));
}

#[tokio::test]
async fn a_cancelled_download_tells_as_kept_what_the_record_of_its_partial_proves() {
    let repository = tiny().large_file("twin-Q4_K_M.gguf", Content::gguf("tiny", 300_000));
    let blob = repository.etag("tiny-Q4_K_M.gguf").unwrap().to_owned();
    let hub = FakeHub::builder().repository(repository).start().await;
    let machine = Machine::new(&hub);
    hub.on(Requests::cdn()).answer(Fault::StallAfter(100_000));
    let stop = CancellationToken::new();
    // Both files have the bytes of the one transfer.
    let hear = |event: &ProvisionEvent| {
        if matches!(event, ProvisionEvent::Progress(figures) if figures.bytes_done >= 200_000) {
            stop.cancel();
        }
    };
    let model = DownloadRequest {
        all_files: true,
        ..request("org/tiny")
    };
    let outcome = machine.run_and_hear(&model, &stop, true, hear).await;
    let kept = outcome.bytes_kept;
    assert!(matches!(outcome.failure(), ProvisionError::Cancelled));

    let blobs = machine.store.join("models--org--tiny/blobs");
    let size = |path: &str| std::fs::metadata(blobs.join(path)).map_or(0, |file| file.len());
    let partial = size(&format!("{blob}.hive-partial"));
    let small: u64 = machine
        .paths()
        .iter()
        .filter(|path| path.contains("/blobs/") && !path.contains(".hive-partial"))
        .map(|path| size(path.rsplit('/').next().unwrap()))
        .sum();
    assert_eq!(kept, partial + small);
}
