//! Who is refused, and how: status, code and message tell a client what to do next.

use fake_hub::{Account, FakeHub};

use crate::{client, repository, text};

async fn hub() -> FakeHub {
    let alice = Account::new("alice", "hf_alice")
        .grant("org/gated")
        .grant("org/private");
    FakeHub::builder()
        .account(alice)
        .account(Account::new("bob", "hf_bob"))
        .account(
            Account::new("carol", "hf_carol")
                .grant("org/gated")
                .without_gated_scope(),
        )
        .repository(repository("org/tiny"))
        .repository(repository("org/gated").gated())
        .repository(repository("org/closed").gated_with_metadata())
        .repository(repository("org/private").private())
        .repository(repository("org/disabled").disabled())
        .start()
        .await
}

/// Status and `X-Error-Code` of a path, asked with a token or without.
async fn refusal(hub: &FakeHub, path: &str, token: Option<&str>) -> (u16, String) {
    let mut request = client().get(format!("{}/{path}", hub.endpoint()));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let answer = request.send().await.unwrap();
    let code = answer.headers().get("x-error-code");
    let code = code.map(|code| code.to_str().unwrap().to_owned());
    (answer.status().as_u16(), code.unwrap_or_default())
}

#[tokio::test]
async fn every_refusal_has_the_status_and_code_of_the_hub() {
    let hub = hub().await;
    let (alice, bob, carol) = (Some("hf_alice"), Some("hf_bob"), Some("hf_carol"));
    let config = |id: &str| format!("{id}/resolve/main/config.json");
    for (path, token, status, code) in [
        (config("org/missing"), None, 401, "RepoNotFound"),
        (config("org/missing"), bob, 404, "RepoNotFound"),
        (config("org/private"), None, 401, "RepoNotFound"),
        (config("org/private"), bob, 404, "RepoNotFound"),
        (config("org/private"), alice, 200, ""),
        (config("org/gated"), None, 401, "GatedRepo"),
        (config("org/gated"), bob, 403, "GatedRepo"),
        (config("org/gated"), carol, 403, ""),
        (config("org/gated"), alice, 200, ""),
        ("api/models/org/gated".to_owned(), None, 200, ""),
        ("api/models/org/closed".to_owned(), bob, 403, "GatedRepo"),
        (config("org/disabled"), None, 403, ""),
        (config("org/tiny"), Some("hf_nobody"), 401, ""),
        (
            "org/tiny/resolve/nowhere/config.json".to_owned(),
            None,
            404,
            "RevisionNotFound",
        ),
        (
            "org/tiny/resolve/main/missing".to_owned(),
            None,
            404,
            "EntryNotFound",
        ),
        (
            "api/models/org/tiny/tree/main/missing".to_owned(),
            None,
            404,
            "EntryNotFound",
        ),
        ("api/nothing/here".to_owned(), None, 404, ""),
    ] {
        let expected = (status, code.to_owned());
        assert_eq!(
            refusal(&hub, &path, token).await,
            expected,
            "{path} with {token:?}"
        );
    }
}

#[tokio::test]
async fn a_refusal_says_in_header_and_body_what_is_wrong() {
    let hub = hub().await;
    let url = format!("{}/org/tiny/resolve/main/missing", hub.endpoint());
    let answer = client().get(url).send().await.unwrap();
    assert_eq!(text(answer.headers(), "x-error-message"), "Entry not found");
    assert_eq!(
        text(answer.headers(), "x-repo-commit"),
        repository("org/tiny").commit()
    );
    assert!(answer.headers().contains_key("x-request-id"));
    let body: serde_json::Value = answer.json().await.unwrap();
    assert_eq!(body["error"], "Entry not found");
}
