//! Who may fetch what, and that a token goes to nobody but the Hub.

use fake_hub::{Account, FakeHub, Fault, Repository, Requests, Route};
use model_provisioner::{Denial, Missing, ProvisionError};

use crate::harness::{Machine, tiny};

const GOOD: &str = "hf_good";

async fn hub() -> FakeHub {
    FakeHub::builder()
        .repository(tiny())
        .repository(tiny().with_id("org/gated").gated())
        .repository(tiny().with_id("org/gated-whole").gated_with_metadata())
        .repository(tiny().with_id("org/granted").gated())
        .repository(tiny().with_id("org/private").private())
        .repository(tiny().with_id("org/disabled").disabled())
        .repository(Repository::model("org/pickle").large_file("pytorch_model.bin", "pickle"))
        .account(Account::new("alice", GOOD).grant("org/granted"))
        .start()
        .await
}

#[tokio::test]
async fn d12_every_refusal_says_what_it_is_where_to_ask_and_whose_token_it_was() {
    let hub = hub().await;
    for (token, repo, expected) in [
        (None, "org/gated", Denial::GatedWithoutToken),
        (None, "org/gated-whole", Denial::GatedWithoutToken),
        (Some(GOOD), "org/gated", Denial::Gated),
        (Some(GOOD), "org/gated-whole", Denial::Gated),
        (None, "org/private", Denial::PrivateOrMissing),
        (None, "org/nowhere", Denial::PrivateOrMissing),
        (Some("hf_wrong"), "org/tiny", Denial::BadToken),
        (Some(GOOD), "org/disabled", Denial::Forbidden),
    ] {
        let machine = Machine::with_token(&hub, token);
        match machine.download(repo).await.failure() {
            ProvisionError::AccessDenied {
                denial,
                page,
                token_source,
                ..
            } => {
                assert_eq!(denial, expected, "{token:?} {repo}");
                assert_eq!(page, format!("{}/{repo}", hub.endpoint()));
                assert_eq!(token_source.is_some(), token.is_some());
            }
            other => panic!("{token:?} {repo}: {other:?}"),
        }
        assert_eq!(machine.published(), [""; 0]);
    }
}

#[tokio::test]
async fn d13_what_the_hub_does_not_have_is_named() {
    let hub = hub().await;
    let machine = Machine::with_token(&hub, Some(GOOD));
    for (model, expected) in [
        ("org/nowhere", Missing::Repository),
        ("org/private", Missing::Repository),
        ("org/tiny@nobranch", Missing::Revision),
    ] {
        match machine.download(model).await.failure() {
            ProvisionError::NotFound { missing, .. } => assert_eq!(missing, expected, "{model}"),
            other => panic!("{model}: {other:?}"),
        }
    }
    match machine.download("org/pickle").await.failure() {
        ProvisionError::UnsupportedFormat { formats, .. } => assert_eq!(formats, ["PyTorch .bin"]),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_token_opens_what_it_may_and_never_reaches_the_cdn() {
    let hub = hub().await;
    let machine = Machine::with_token(&hub, Some(GOOD));
    machine.download("org/granted").await.result.unwrap();
    let seen_by_hub = hub.api().requests();
    assert!(
        seen_by_hub
            .iter()
            .all(|seen| seen.header("authorization") == Some("Bearer hf_good"))
    );
    assert!(!hub.cdn().requests().is_empty());
    hub.assert_no_token_leak();
}

#[tokio::test]
async fn a_listing_that_leads_elsewhere_is_not_followed_with_the_token() {
    let hub = hub().await;
    let elsewhere = format!("<{}/next>; rel=\"next\"", hub.cdn_endpoint());
    hub.on(Requests::to(Route::Tree))
        .answer(Fault::SetHeader("Link", elsewhere));
    let machine = Machine::with_token(&hub, Some(GOOD));
    let outcome = machine.download("org/tiny").await;
    assert!(
        outcome
            .story()
            .iter()
            .any(|told| told.starts_with("SizeUnknown"))
    );
    outcome.result.unwrap();
    assert!(
        hub.cdn()
            .requests()
            .iter()
            .all(|seen| !seen.target.starts_with("/next"))
    );
}
