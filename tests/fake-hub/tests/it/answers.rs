//! The right answers, as hub clients expect them.

use fake_hub::{Account, FakeHub, Repository, Requests, Route};
use serde_json::{Value, json};

use crate::{LARGE, LARGE_BYTES, client, get, head, repository, signed_url, start, text};

async fn json_of(url: impl AsRef<str>) -> Value {
    let answer = get(url).await;
    assert_eq!(answer.status(), 200);
    answer.json().await.unwrap()
}

#[tokio::test]
async fn the_info_names_commit_and_files_and_sizes_only_when_asked() {
    let hub = start().await;
    let repository = repository("org/tiny");
    let url = format!("{}/api/models/org/tiny", hub.endpoint());
    let info = json_of(&url).await;
    assert_eq!(info["sha"], repository.commit());
    assert_eq!(info["siblings"][0], json!({"rfilename": "config.json"}));
    let info = json_of(format!("{url}/revision/main?blobs=true")).await;
    assert_eq!(info["siblings"][2]["rfilename"], LARGE);
    assert_eq!(info["siblings"][2]["size"], LARGE_BYTES);
    assert_eq!(
        info["siblings"][2]["lfs"]["sha256"],
        repository.etag(LARGE).unwrap()
    );
}

#[tokio::test]
async fn a_tree_comes_in_pages_that_name_the_next() {
    let builder = FakeHub::builder().repository(repository("org/tiny"));
    let hub = builder.tree_page_entries(2).start().await;
    let mut url = format!(
        "{}/api/models/org/tiny/tree/main?recursive=true",
        hub.endpoint()
    );
    let mut paths = Vec::new();
    loop {
        let page = get(&url).await;
        let link = page
            .headers()
            .get("link")
            .map(|link| link.to_str().unwrap().to_owned());
        let entries: Vec<Value> = page.json().await.unwrap();
        paths.extend(
            entries
                .iter()
                .map(|entry| entry["path"].as_str().unwrap().to_owned()),
        );
        let Some(link) = link else { break };
        url = link
            .strip_prefix('<')
            .unwrap()
            .strip_suffix(">; rel=\"next\"")
            .unwrap()
            .to_owned();
    }
    assert_eq!(
        paths,
        ["config.json", "empty.txt", LARGE, "sub", "sub/notes.txt"]
    );
    assert_eq!(hub.api().requests_of(&Requests::to(Route::Tree)).len(), 3);
}

#[tokio::test]
async fn a_tree_can_be_of_one_level_and_of_one_folder() {
    let hub = start().await;
    let url = format!("{}/api/models/org/tiny/tree/main", hub.endpoint());
    let top = json_of(&url).await;
    assert_eq!(top[3]["type"], "directory");
    assert_eq!(top.as_array().unwrap().len(), 4);
    let below = json_of(format!("{url}/sub")).await;
    assert_eq!(below[0]["path"], "sub/notes.txt");
    let large = &top[2];
    let repository = repository("org/tiny");
    assert_eq!(large["lfs"]["oid"], repository.etag(LARGE).unwrap());
    assert_ne!(large["oid"], large["lfs"]["oid"]);
}

#[tokio::test]
async fn paths_info_gives_the_entries_that_exist() {
    let hub = start().await;
    let url = format!("{}/api/models/org/tiny/paths-info/main", hub.endpoint());
    let body = json!({"paths": ["config.json", "missing"]});
    let answer = client().post(url).json(&body).send().await.unwrap();
    let entries: Vec<Value> = answer.json().await.unwrap();
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0]["path"], "config.json");
}

#[tokio::test]
async fn a_large_file_is_redirected_to_the_cdn_with_its_size_and_hash() {
    let hub = start().await;
    let repository = repository("org/tiny");
    let answer = get(format!("{}/org/tiny/resolve/main/{LARGE}", hub.endpoint())).await;
    assert_eq!(answer.status(), 302);
    let headers = answer.headers().clone();
    assert_eq!(text(&headers, "x-repo-commit"), repository.commit());
    assert_eq!(text(&headers, "x-linked-size"), LARGE_BYTES.to_string());
    assert_eq!(
        text(&headers, "x-linked-etag"),
        format!("\"{}\"", repository.etag(LARGE).unwrap())
    );
    assert!(!headers.contains_key("x-xet-hash"));
    let location = text(&headers, "location").to_owned();
    assert!(location.starts_with(hub.cdn_endpoint()));
    let body = answer.text().await.unwrap();
    assert_eq!(text(&headers, "content-length"), body.len().to_string());
    let whole = get(location).await;
    assert_eq!(whole.status(), 200);
    assert_ne!(
        text(whole.headers(), "etag"),
        text(&headers, "x-linked-etag")
    );
    assert_eq!(
        whole.bytes().await.unwrap(),
        repository.content(LARGE).unwrap().to_vec()
    );
}

#[tokio::test]
async fn a_large_file_can_be_redirected_to_another_server() {
    let hub = FakeHub::builder()
        .repository(repository("org/tiny"))
        .cdn_endpoint("http://127.0.0.1:1")
        .start()
        .await;
    let answer = head(format!("{}/org/tiny/resolve/main/{LARGE}", hub.endpoint())).await;
    assert!(text(answer.headers(), "location").starts_with("http://127.0.0.1:1/xet-bridge-us/"));
}

#[tokio::test]
async fn the_cdn_serves_ranges() {
    let hub = start().await;
    let url = signed_url(&hub).await;
    let part = client()
        .get(&url)
        .header("range", "bytes=10-19")
        .send()
        .await
        .unwrap();
    assert_eq!(part.status(), 206);
    assert_eq!(
        text(part.headers(), "content-range"),
        format!("bytes 10-19/{LARGE_BYTES}")
    );
    let content = repository("org/tiny").content(LARGE).unwrap().clone();
    assert_eq!(part.bytes().await.unwrap(), content.read(10..20));
    let beyond = client()
        .get(&url)
        .header("range", format!("bytes={LARGE_BYTES}-"))
        .send()
        .await;
    assert_eq!(beyond.unwrap().status(), 416);
    let changed = client()
        .get(&url)
        .header("if-match", "\"other\"")
        .send()
        .await
        .unwrap();
    assert_eq!(changed.status(), 412);
}

#[tokio::test]
async fn a_small_file_is_behind_a_relative_redirect() {
    let hub = start().await;
    let repository = repository("org/tiny");
    let answer = head(format!(
        "{}/org/tiny/resolve/main/sub/notes.txt",
        hub.endpoint()
    ))
    .await;
    assert_eq!(answer.status(), 307);
    assert!(!answer.headers().contains_key("etag"));
    assert!(!answer.headers().contains_key("x-repo-commit"));
    let location = text(answer.headers(), "location");
    assert!(
        location.starts_with("/api/resolve-cache/models/org/tiny/"),
        "{location}"
    );
    let file = get(format!("{}{location}", hub.endpoint())).await;
    assert_eq!(file.status(), 200);
    let etag = format!("\"{}\"", repository.etag("sub/notes.txt").unwrap());
    assert_eq!(text(file.headers(), "etag"), etag);
    assert_eq!(text(file.headers(), "x-repo-commit"), repository.commit());
    assert_eq!(file.text().await.unwrap(), "notes");
}

#[tokio::test]
async fn an_empty_file_and_a_repository_without_namespace_are_served_directly() {
    let builder = FakeHub::builder().repository(repository("org/tiny"));
    let hub = builder.repository(repository("tiny")).start().await;
    let empty = get(format!(
        "{}/org/tiny/resolve/main/empty.txt",
        hub.endpoint()
    ))
    .await;
    assert_eq!(
        (
            empty.status().as_u16(),
            text(empty.headers(), "content-length")
        ),
        (200, "0")
    );
    let small = get(format!("{}/tiny/resolve/main/config.json", hub.endpoint())).await;
    assert_eq!(small.status(), 200);
    assert_eq!(small.text().await.unwrap(), "{\"a\": 1}\n");
}

#[tokio::test]
async fn a_known_etag_is_answered_with_304() {
    let hub = start().await;
    let etag = format!(
        "\"{}\"",
        repository("org/tiny").etag("config.json").unwrap()
    );
    let url = format!("{}/org/tiny/resolve/main/config.json", hub.endpoint());
    let answer = client()
        .get(url)
        .header("if-none-match", etag)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 304);
}

#[tokio::test]
async fn a_former_or_miswritten_id_is_redirected_to_the_right_one() {
    let moved = repository("org/tiny").renamed_from("old/tiny");
    let hub = FakeHub::builder().repository(moved).start().await;
    for id in ["old/tiny", "Org/Tiny"] {
        let answer = head(format!(
            "{}/{id}/resolve/main/config.json?x=1",
            hub.endpoint()
        ))
        .await;
        assert_eq!(answer.status(), 307);
        let location = text(answer.headers(), "location");
        assert_eq!(location, "/org/tiny/resolve/main/config.json?x=1");
    }
    let info = head(format!("{}/api/models/old/tiny", hub.endpoint())).await;
    assert_eq!(text(info.headers(), "location"), "/api/models/org/tiny");
}

#[tokio::test]
async fn branches_and_commits_are_revisions_and_main_moves() {
    let first = repository("org/tiny").branch("refs/pr/1");
    let second = first.clone().file("config.json", "{}");
    let hub = FakeHub::builder().repository(first.clone()).start().await;
    hub.push(second.clone());
    let info = |revision: &str| {
        json_of(format!(
            "{}/api/models/org/tiny/revision/{revision}",
            hub.endpoint()
        ))
    };
    assert_eq!(info("main").await["sha"], second.commit());
    assert_eq!(info("refs%2Fpr%2F1").await["sha"], first.commit());
    assert_eq!(info(&first.commit()).await["sha"], first.commit());
    hub.move_branch("org/tiny", "main", &first.commit());
    assert_eq!(info("main").await["sha"], first.commit());
}

#[tokio::test]
async fn a_dataset_has_routes_of_its_own() {
    let dataset = Repository::dataset("org/data").large_file("train.parquet", "rows");
    let hub = FakeHub::builder().repository(dataset).start().await;
    let info = json_of(format!("{}/api/datasets/org/data", hub.endpoint())).await;
    assert_eq!(info["siblings"][0]["rfilename"], "train.parquet");
    let file = head(format!(
        "{}/datasets/org/data/resolve/main/train.parquet",
        hub.endpoint()
    ));
    assert_eq!(file.await.status(), 302);
    let model = head(format!(
        "{}/org/data/resolve/main/train.parquet",
        hub.endpoint()
    ));
    assert_eq!(model.await.status(), 401);
}

#[tokio::test]
async fn an_account_is_known_by_its_token() {
    let hub = FakeHub::builder()
        .account(Account::new("alice", "hf_alice"))
        .start()
        .await;
    let url = format!("{}/api/whoami-v2", hub.endpoint());
    let known = client()
        .get(&url)
        .bearer_auth("hf_alice")
        .send()
        .await
        .unwrap();
    assert_eq!(known.json::<Value>().await.unwrap()["name"], "alice");
    assert_eq!(get(&url).await.status(), 401);
}
