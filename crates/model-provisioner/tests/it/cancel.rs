//! Stop when told: whatever it waits for, and with nothing left running.

use fake_hub::{FakeHub, Fault, Requests, Route};
use model_provisioner::ProvisionError;
use tokio_util::sync::CancellationToken;

use crate::harness::{LIMIT, Machine, request, tiny};

#[tokio::test]
async fn d32_a_cancel_ends_a_download_while_the_hub_is_silent() {
    for held in [
        Requests::to(Route::Info),
        Requests::to(Route::Tree),
        Requests::to(Route::Resolve),
    ] {
        let hub = FakeHub::builder().repository(tiny()).start().await;
        let machine = Machine::new(&hub);
        hub.on(held.clone()).answer(Fault::Hold);
        let stop = CancellationToken::new();
        let stopping = async {
            hub.api().wait_for_request(&held, LIMIT).await.unwrap();
            stop.cancel();
        };
        let model = request("org/tiny");
        let (outcome, ()) = tokio::join!(machine.run(&model, &stop, true), stopping);
        assert!(matches!(outcome.failure(), ProvisionError::Cancelled));
        hub.api()
            .wait_for_connection_closed(&held, LIMIT)
            .await
            .unwrap();
        assert_eq!(machine.published(), [""; 0]);
    }
}

#[tokio::test]
async fn d32_a_cancel_in_a_body_closes_the_connection_and_leaves_nothing_published() {
    let hub = FakeHub::builder().repository(tiny()).start().await;
    let machine = Machine::new(&hub);
    hub.on(Requests::cdn()).answer(Fault::StallAfter(100_000));
    let stop = CancellationToken::new();
    let stopping = async {
        hub.cdn()
            .wait_for_bytes_sent("tiny-Q4_K_M.gguf", 100_000, LIMIT)
            .await
            .unwrap();
        stop.cancel();
    };
    let model = request("org/tiny");
    let (outcome, ()) = tokio::join!(machine.run(&model, &stop, true), stopping);
    assert_eq!(outcome.asked, 0);
    assert!(matches!(outcome.failure(), ProvisionError::Cancelled));
    hub.cdn()
        .wait_for_connection_closed(&Requests::cdn(), LIMIT)
        .await
        .unwrap();
    assert_eq!(machine.published(), [""; 0]);
}

#[tokio::test]
async fn a_caller_that_does_not_agree_to_publish_has_the_blobs_and_no_link() {
    let hub = FakeHub::builder().repository(tiny()).start().await;
    let machine = Machine::new(&hub);
    let outcome = machine
        .run(&request("org/tiny"), &CancellationToken::new(), false)
        .await;
    assert_eq!(outcome.asked, 1);
    assert!(matches!(outcome.failure(), ProvisionError::Cancelled));
    assert_eq!(machine.published(), [""; 0]);
    assert!(machine.paths().iter().any(|path| path.contains("/blobs/")));
}

#[tokio::test]
async fn a_download_that_was_cancelled_before_it_began_asks_nothing() {
    let hub = FakeHub::builder().repository(tiny()).start().await;
    let machine = Machine::new(&hub);
    let stop = CancellationToken::new();
    stop.cancel();
    let outcome = machine.run(&request("org/tiny"), &stop, true).await;
    assert!(matches!(outcome.failure(), ProvisionError::Cancelled));
    assert_eq!(hub.api().requests().len(), 0);
}
