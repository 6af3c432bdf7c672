//! `HF_HUB_OFFLINE`: what the store has is the answer, or there is none, at once.

use std::fs;

use fake_hub::{Content, FakeHub};
use model_provisioner::{HubSettings, ProvisionError};
use tokio_util::sync::CancellationToken;

use crate::harness::{Machine, request, settings, tiny};

/// A machine that has `org/tiny`, and from now on leaves the Hub alone.
async fn offline(hub: &FakeHub) -> Machine {
    let machine = Machine::new(hub);
    machine.download("org/tiny").await.result.unwrap();
    machine.restarted(HubSettings {
        is_offline: true,
        ..settings(hub.endpoint())
    })
}

#[tokio::test]
async fn what_the_store_has_is_the_answer_and_nothing_is_asked() {
    let repository = tiny();
    let hub = FakeHub::builder()
        .repository(repository.clone())
        .start()
        .await;
    let machine = offline(&hub).await;
    let (asked, before) = (hub.api().requests().len(), machine.paths());
    let by_commit = format!("org/tiny@{}", repository.commit());
    for model in ["org/tiny", "org/tiny:q4_k_m", &by_commit] {
        let outcome = machine.download(model).await;
        assert_eq!(outcome.story(), ["Resolving", "planned Some(300000)"]);
        let found = outcome.result.unwrap();
        assert_eq!(found.commit, repository.commit());
        assert_eq!((found.files, found.bytes_received), (1, 0));
        assert!(found.path.ends_with("tiny-Q4_K_M.gguf") && found.path.exists());
    }
    let (model, never) = (request("org/tiny"), CancellationToken::new());
    let plan = machine.provisioner.plan(&model, &never).await.unwrap();
    assert_eq!(plan.bytes_to_fetch, Some(0));
    assert_eq!(hub.api().requests().len(), asked);
    assert_eq!(machine.paths(), before);
}

#[tokio::test]
async fn what_the_store_lacks_fails_at_once_and_says_what_is_missing() {
    let repository = tiny().large_file("tiny-Q8_0.gguf", Content::gguf("tiny", 9_000));
    let hub = FakeHub::builder().repository(repository).start().await;
    let machine = offline(&hub).await;
    let asked = hub.api().requests().len();
    let mut forced = request("org/tiny");
    forced.force_download = true;
    let never = CancellationToken::new();
    let requests = [
        request("org/nowhere"),
        request("org/tiny:Q8_0"),
        request("org/tiny@other"),
        forced,
    ];
    for model in &requests {
        match machine.run(model, &never, true).await.failure() {
            ProvisionError::Offline { repo, reason } => {
                assert_eq!(repo, model.model.repo().to_string());
                assert!(!reason.is_empty());
            }
            other => panic!("{model:?}: {other:?}"),
        }
    }
    for blob in machine
        .paths()
        .iter()
        .filter(|path| path.contains("/blobs/"))
    {
        fs::remove_file(machine.store.join(blob)).unwrap();
    }
    let broken = machine.download("org/tiny").await.failure();
    assert!(
        matches!(broken, ProvisionError::Offline { .. }),
        "{broken:?}"
    );
    assert_eq!(hub.api().requests().len(), asked);
}
