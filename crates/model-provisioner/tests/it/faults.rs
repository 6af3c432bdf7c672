//! A Hub and a CDN that are slow, wrong or hostile.

use std::time::Duration;

use fake_hub::{Content, FakeHub, Fault, Reply, Repository, Requests, Route};
use model_provisioner::{HubErrorKind, HubLimits, ProvisionError, SourceErrorKind};

use crate::harness::{Machine, limits, tiny};

#[tokio::test]
async fn d16_wrong_bytes_are_an_integrity_mismatch_and_nothing_is_published() {
    let hub = FakeHub::builder().repository(tiny()).start().await;
    hub.on(Requests::cdn()).answer(Fault::WrongByteAt(200_000));
    let machine = Machine::new(&hub);
    let outcome = machine.download("org/tiny").await;
    assert_eq!(outcome.asked, 0);
    match outcome.failure() {
        ProvisionError::IntegrityMismatch { path, .. } => assert_eq!(path, "tiny-Q4_K_M.gguf"),
        other => panic!("{other:?}"),
    }
    assert_eq!(machine.paths(), [""; 0]);
}

#[tokio::test]
async fn a_silent_listing_costs_the_total_and_not_the_download() {
    let repository = tiny();
    let hub = FakeHub::builder()
        .repository(repository.clone())
        .start()
        .await;
    hub.on(Requests::to(Route::Tree)).answer(Fault::Hold);
    let quick = HubLimits {
        tree: Duration::from_millis(200),
        ..limits()
    };
    let machine = Machine::with_limits(&hub, None, quick);
    let outcome = machine.download("org/tiny").await;
    let story = outcome.story();
    assert!(story[2].starts_with("SizeUnknown"), "{story:?}");
    assert_eq!(story[3], "planned None");
    let published = outcome.result.unwrap();
    assert_eq!(published.bytes_total, 300_000);
    assert!(published.path.ends_with("tiny-Q4_K_M.gguf"));
    // One resolve says both where the file is and what it must be.
    assert_eq!(
        hub.api().requests_of(&Requests::to(Route::Resolve)).len(),
        1
    );
}

#[tokio::test]
async fn d10_a_hub_that_asks_to_slow_down_is_asked_again() {
    let hub = FakeHub::builder().repository(tiny()).start().await;
    let busy = Fault::TooManyRequests {
        window_ends_in_seconds: 0,
        retry_after: Some("0".to_owned()),
    };
    hub.on(Requests::to(Route::Info).first(1))
        .answer(busy.clone());
    hub.on(Requests::to(Route::Resolve).first(1)).answer(busy);
    let outcome = Machine::new(&hub).download("org/tiny").await;
    let story = outcome.story();
    let retries = story
        .iter()
        .filter(|told| *told == "retry Source(RateLimited)");
    assert_eq!(retries.count(), 2, "{story:?}");
    outcome.result.unwrap();
}

#[tokio::test]
async fn d14_d15_d18_d20_answers_that_are_not_the_file_are_refused_by_kind() {
    let other_hash = "0".repeat(64);
    let target = |target: &str| Fault::SetHeader("Location", target.to_owned());
    let resolve = || Requests::to(Route::Resolve);
    for (requests, fault, expected) in [
        (
            resolve(),
            Fault::SetHeader("X-Linked-Etag", format!("\"{other_hash}\"")),
            SourceErrorKind::Changed,
        ),
        (
            resolve(),
            Fault::SetHeader("X-Repo-Commit", "1".repeat(40)),
            SourceErrorKind::Changed,
        ),
        (
            resolve(),
            target("file:///etc/passwd"),
            SourceErrorKind::TooManyRedirects,
        ),
        (
            resolve(),
            target("/org/tiny/resolve/main/tiny-Q4_K_M.gguf"),
            SourceErrorKind::TooManyRedirects,
        ),
        (Requests::cdn(), Fault::Gzip, SourceErrorKind::BadUpstream),
        (
            Requests::cdn(),
            Fault::SetHeader("Content-Range", "bytes 1-2/3".to_owned()),
            SourceErrorKind::BadUpstream,
        ),
        (
            Requests::cdn(),
            Fault::Status(451),
            SourceErrorKind::Status(451),
        ),
    ] {
        let hub = FakeHub::builder().repository(tiny()).start().await;
        hub.on(requests).answer(fault.clone());
        let machine = Machine::new(&hub);
        match machine.download("org/tiny").await.failure() {
            ProvisionError::Upstream { kind, .. } => {
                assert_eq!(kind, HubErrorKind::Transfer(expected), "{fault:?}");
            }
            other => panic!("{fault:?}: {other:?}"),
        }
        assert_eq!(machine.published(), [""; 0]);
    }
}

#[tokio::test]
async fn a_path_that_would_leave_the_store_refuses_the_repository() {
    for path in [
        "../../outside.json",
        "/etc/outside.json",
        "a/../../../outside.json",
    ] {
        let hub = FakeHub::builder()
            .repository(tiny().file(path, "x"))
            .start()
            .await;
        let machine = Machine::new(&hub);
        match machine.download("org/tiny").await.failure() {
            ProvisionError::UnsafeRemoteName { path: refused, .. } => assert_eq!(refused, path),
            other => panic!("{path}: {other:?}"),
        }
        assert!(!machine.store.exists());
    }
}

#[tokio::test]
async fn d21_what_the_disk_cannot_hold_is_refused_before_the_first_byte() {
    let repository = tiny();
    let hub = FakeHub::builder().repository(repository).start().await;
    let listing = format!(
        r#"[{{"type":"file","oid":"{oid}","size":9000000000000000000,"path":"a.gguf",
            "lfs":{{"oid":"{sha}","size":9000000000000000000,"pointerSize":1}}}}]"#,
        oid = "0".repeat(40),
        sha = "0".repeat(64),
    );
    let reply = Reply::new(200)
        .header("Content-Type", "application/json")
        .body(&listing);
    hub.on(Requests::to(Route::Tree))
        .answer(Fault::Respond(reply));
    let machine = Machine::new(&hub);
    match machine.download("org/tiny").await.failure() {
        ProvisionError::InsufficientStorage { needed_bytes, .. } => {
            assert_eq!(needed_bytes, 9_000_000_000_000_000_000);
        }
        other => panic!("{other:?}"),
    }
    assert!(!machine.store.exists());
}

#[tokio::test]
async fn a_file_without_a_hash_is_not_fetched() {
    let hub = FakeHub::builder().repository(tiny()).start().await;
    let listing = r#"[{"type":"file","size":9,"path":"a.gguf"}]"#;
    let reply = Reply::new(200)
        .header("Content-Type", "application/json")
        .body(listing);
    hub.on(Requests::to(Route::Tree))
        .answer(Fault::Respond(reply));
    match Machine::new(&hub).download("org/tiny").await.failure() {
        ProvisionError::NoHash { path } => assert_eq!(path, "a.gguf"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn d15_d18_d20_an_answer_that_was_wrong_once_is_asked_for_anew() {
    let other_hash = format!("\"{}\"", "0".repeat(64));
    for (requests, fault) in [
        (
            Requests::to(Route::Resolve).first(1),
            Fault::SetHeader("X-Linked-Etag", other_hash),
        ),
        (Requests::cdn().first(1), Fault::Gzip),
        (
            Requests::cdn().first(1),
            Fault::SetHeader("Content-Range", "bytes 1-2/3".to_owned()),
        ),
        (
            Requests::cdn().first(1),
            Fault::RemoveHeader("Content-Range"),
        ),
    ] {
        let hub = FakeHub::builder().repository(tiny()).start().await;
        hub.on(requests).answer(fault.clone());
        let outcome = Machine::new(&hub).download("org/tiny").await;
        outcome
            .result
            .unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        let resolves = hub.api().requests_of(&Requests::to(Route::Resolve)).len();
        assert_eq!(resolves, 2, "{fault:?}");
    }
}

#[tokio::test]
async fn d15_another_entity_under_one_address_is_refused_and_the_bytes_are_kept() {
    let hub = FakeHub::builder().repository(tiny()).start().await;
    hub.on(Requests::cdn().first(1))
        .answer(Fault::CutAfter(100_000));
    hub.on(Requests::cdn().first(1))
        .answer(Fault::SetHeader("ETag", "\"one\"".to_owned()));
    hub.on(Requests::cdn().nth(2))
        .answer(Fault::SetHeader("ETag", "\"another\"".to_owned()));
    let outcome = Machine::new(&hub).download("org/tiny").await;
    let story = outcome.story();
    assert!(
        story.contains(&"retry Source(BadUpstream)".to_owned()),
        "{story:?}"
    );
    outcome.result.unwrap();
    let ranges: Vec<_> = hub
        .cdn()
        .requests()
        .iter()
        .map(|seen| seen.header("range").map(str::to_owned))
        .collect();
    assert_eq!(ranges[2].as_deref(), Some("bytes=100000-299999"));
}

#[tokio::test]
async fn d17_a_server_that_never_serves_ranges_is_read_from_the_start() {
    let hub = FakeHub::builder().repository(tiny()).start().await;
    hub.on(Requests::cdn().first(1))
        .answer(Fault::CutAfter(100_000));
    hub.on(Requests::cdn()).answer(Fault::IgnoreRange);
    let machine = Machine::new(&hub);
    let published = machine.download("org/tiny").await.result;
    let content = tiny().content("tiny-Q4_K_M.gguf").unwrap().to_vec();
    assert!(std::fs::read(published.unwrap().path).unwrap() == content);
}

#[tokio::test]
async fn a_page_in_place_of_the_hubs_answer_is_a_bad_answer_asked_for_three_times() {
    let page = "<!DOCTYPE html><html><body>Welcome to our network. Please log in.</body></html>";
    for (kind, body) in [("text/html", page), ("application/json", "{\"sha\": tru")] {
        let hub = FakeHub::builder().repository(tiny()).start().await;
        let reply = Reply::new(200).header("Content-Type", kind).body(body);
        hub.on(Requests::to(Route::Info))
            .answer(Fault::Respond(reply));
        let outcome = Machine::new(&hub).download("org/tiny").await;
        let story = outcome.story();
        let retries = story
            .iter()
            .filter(|told| *told == "retry Source(BadUpstream)");
        assert_eq!(retries.count(), 2, "{story:?}");
        match outcome.failure() {
            ProvisionError::Upstream { kind, .. } => {
                assert_eq!(kind, HubErrorKind::Transfer(SourceErrorKind::BadUpstream));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_page_in_place_of_the_hubs_answer_is_forgiven_once() {
    let hub = FakeHub::builder().repository(tiny()).start().await;
    let page = Reply::new(200)
        .header("Content-Type", "text/html")
        .body("<html></html>");
    for route in [Route::Info, Route::Tree] {
        hub.on(Requests::to(route).first(1))
            .answer(Fault::Respond(page.clone()));
    }
    let outcome = Machine::new(&hub).download("org/tiny").await;
    let story = outcome.story();
    assert!(
        story.contains(&"planned Some(300000)".to_owned()),
        "{story:?}"
    );
    outcome.result.unwrap();
}

/// A file that is big enough to come over several connections.
fn big() -> Repository {
    Repository::model("org/big").large_file("big-Q4_K_M.gguf", Content::gguf("big", 24_000_000))
}

#[tokio::test]
async fn d17_a_big_file_of_a_server_that_ignores_ranges_comes_whole() {
    let hub = FakeHub::builder().repository(big()).start().await;
    hub.on(Requests::cdn()).answer(Fault::IgnoreRange);
    hub.on(Requests::cdn().first(1))
        .answer(Fault::CutAfter(4_000_000));
    let outcome = Machine::new(&hub).download("org/big").await;
    assert_eq!(outcome.result.unwrap().bytes_total, 24_000_000);
}

#[tokio::test]
async fn a_cdn_that_refuses_the_whole_of_a_big_file_serves_its_ranges() {
    let hub = FakeHub::builder().repository(big()).start().await;
    hub.on(Requests::cdn()).answer(Fault::RefuseWhole);
    let outcome = Machine::new(&hub).download("org/big").await;
    let story = outcome.story();
    assert!(
        !story.iter().any(|told| told.starts_with("retry")),
        "{story:?}"
    );
    assert_eq!(outcome.result.unwrap().bytes_received, 24_000_000);
}
