//! The fake Hub against plain clients: a fake that is wrong makes every test that stands on it worthless.
#![expect(
    clippy::unwrap_used,
    reason = "a failed unwrap is a failed test with its line"
)]

mod answers;
mod clients;
mod faults;
mod refusals;
mod traffic;

use std::time::Duration;

use fake_hub::{Content, FakeHub, Repository};
use reqwest::header::HeaderMap;
use reqwest::redirect::Policy;
use reqwest::{Client, Response};

/// Longer than anything here takes: what is awaited has happened, or the test fails.
const LIMIT: Duration = Duration::from_secs(10);
const LARGE: &str = "model.gguf";
const LARGE_BYTES: u64 = 200_000;

/// One small and one large file, and one of each in a folder.
fn repository(id: &str) -> Repository {
    Repository::model(id)
        .file("config.json", "{\"a\": 1}\n")
        .file("empty.txt", "")
        .file("sub/notes.txt", "notes")
        .large_file(LARGE, Content::gguf("tiny", LARGE_BYTES))
}

async fn start() -> FakeHub {
    FakeHub::builder()
        .repository(repository("org/tiny"))
        .start()
        .await
}

/// A client that follows nothing, so that every hop is seen.
fn client() -> Client {
    let builder = Client::builder()
        .redirect(Policy::none())
        .no_proxy()
        .http1_only();
    builder.timeout(LIMIT).build().unwrap()
}

async fn get(url: impl AsRef<str>) -> Response {
    client().get(url.as_ref()).send().await.unwrap()
}

async fn head(url: impl AsRef<str>) -> Response {
    client().head(url.as_ref()).send().await.unwrap()
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers
        .get(name)
        .unwrap_or_else(|| panic!("no `{name}` in {headers:?}"))
        .to_str()
        .unwrap()
}

/// Where the CDN has the large file of `org/tiny`.
async fn signed_url(hub: &FakeHub) -> String {
    let answer = head(format!("{}/org/tiny/resolve/main/{LARGE}", hub.endpoint())).await;
    assert_eq!(answer.status(), 302);
    text(answer.headers(), "location").to_owned()
}
