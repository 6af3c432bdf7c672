//! Downloads that need the same blob: it is fetched once.

use fake_hub::{Content, FakeHub, Fault, Requests};
use model_provisioner::{Notice, ProvisionError, ProvisionEvent};
use tokio_util::sync::CancellationToken;

use crate::harness::{LIMIT, Machine, request, tiny};

#[tokio::test]
async fn two_downloads_of_one_blob_fetch_it_once() {
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
    assert_eq!(received.iter().sum::<u64>(), 300_000);
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
    for force in [false, true] {
        let mut model = request("org/twice");
        model.force_download = force;
        let before = hub.cdn().requests().len();
        let published = machine
            .run(&model, &CancellationToken::new(), true)
            .await
            .result
            .unwrap();
        assert_eq!(published.files, 3);
        assert_eq!(hub.cdn().requests().len(), before + 1);
    }
}
