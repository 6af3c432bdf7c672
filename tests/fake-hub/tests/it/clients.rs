//! The clients of others: what they read out of our answers.

use fake_hub::{Account, FakeHub, Repository};
use hf_hub::HFClient;

use crate::repository;

fn hf_client(hub: &FakeHub, token: &str) -> HFClient {
    let builder = HFClient::builder()
        .endpoint(hub.endpoint())
        .token(token)
        .cache_enabled(false);
    builder.retry_max_attempts(0).build().unwrap()
}

#[tokio::test]
async fn hf_hub_reads_the_info_and_the_account() {
    let hub = FakeHub::builder()
        .account(Account::new("alice", "hf_alice"))
        .repository(repository("org/tiny"))
        .start()
        .await;
    let client = hf_client(&hub, "hf_alice");
    let info = client
        .model("org", "tiny")
        .info()
        .revision("main")
        .send()
        .await
        .unwrap();
    assert_eq!(info.sha, Some(repository("org/tiny").commit()));
    assert_eq!(info.siblings.unwrap().len(), 4);
    assert_eq!(client.whoami().send().await.unwrap().username, "alice");
}

#[tokio::test]
async fn the_sample_repositories_have_the_shape_of_real_ones() {
    let gguf = Repository::sample_gguf("org/Tiny-GGUF", 60_000);
    let shards = gguf
        .paths()
        .filter(|path| path.starts_with("BF16/Tiny-BF16-0000"));
    assert_eq!(shards.count(), 3);
    assert_eq!(
        gguf.content("Tiny-Q4_K_M.gguf").unwrap().size_bytes(),
        60_000
    );
    let safetensors = Repository::sample_safetensors("org/Tiny", 60_000);
    let index = safetensors
        .content("model.safetensors.index.json")
        .unwrap()
        .to_vec();
    let index: serde_json::Value = serde_json::from_slice(&index).unwrap();
    for path in index["weight_map"].as_object().unwrap().values() {
        assert!(safetensors.content(path.as_str().unwrap()).is_some());
    }
}
