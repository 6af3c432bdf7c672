//! A faithful Hub: what is fetched, where it ends up, what is told meanwhile.

use std::fs;

use fake_hub::{Content, FakeHub, Fault, Repository, Requests, Route};
use model_provisioner::{Access, Choice, ProvisionError, ProvisionEvent};
use tokio_util::sync::CancellationToken;

use crate::harness::{Machine, request, tiny};

#[tokio::test]
async fn a_model_is_published_in_the_hubs_layout_and_every_step_is_told() {
    let repository = tiny();
    let hub = FakeHub::builder()
        .repository(repository.clone())
        .start()
        .await;
    let machine = Machine::new(&hub);
    let outcome = machine.download("org/tiny").await;
    assert_eq!(
        outcome.story(),
        [
            "Resolving",
            "Planning",
            "planned Some(300000)",
            "Downloading",
            "started tiny-Q4_K_M.gguf",
            "verified tiny-Q4_K_M.gguf 300000",
        ]
    );
    assert_eq!(outcome.asked, 1);
    let published = outcome.result.unwrap();
    let (commit, sha256) = (
        repository.commit(),
        repository.etag("tiny-Q4_K_M.gguf").unwrap(),
    );
    assert_eq!(
        machine.paths(),
        [
            format!("models--org--tiny/blobs/{sha256}"),
            "models--org--tiny/refs/main".to_owned(),
            format!("models--org--tiny/snapshots/{commit}/tiny-Q4_K_M.gguf"),
        ]
    );
    assert_eq!(published.commit, commit);
    assert_eq!(
        published.path,
        published.snapshot_path.join("tiny-Q4_K_M.gguf")
    );
    assert_eq!((published.files, published.bytes_total), (1, 300_000));
    assert_eq!(published.bytes_received, 300_000);
    let content = repository.content("tiny-Q4_K_M.gguf").unwrap().to_vec();
    assert!(fs::read(&published.path).unwrap() == content);
    let link = fs::read_link(&published.path).unwrap();
    assert_eq!(link.to_str().unwrap(), format!("../../blobs/{sha256}"));
    let main = machine.store.join("models--org--tiny/refs/main");
    assert_eq!(fs::read_to_string(main).unwrap(), commit);
}

#[tokio::test]
async fn a_small_file_is_asked_for_once_at_each_address_on_its_way() {
    let repository = Repository::model("org/plain")
        .file("config.json", "{}")
        .large_file("model.safetensors", "weights");
    let hub = FakeHub::builder().repository(repository).start().await;
    let outcome = Machine::new(&hub).download("org/plain").await;
    outcome.result.unwrap();
    let asked = |route| {
        hub.api()
            .requests_of(&Requests::to(route).file("config.json"))
    };
    for route in [Route::Resolve, Route::ResolveCache] {
        let methods: Vec<_> = asked(route).into_iter().map(|seen| seen.method).collect();
        assert_eq!(methods, ["GET"]);
    }
}

#[tokio::test]
async fn figures_say_how_far_each_file_is() {
    let hub = FakeHub::builder().repository(tiny()).start().await;
    hub.on(Requests::cdn()).answer(Fault::StallAfter(100_000));
    let stop = CancellationToken::new();
    let mut seen = None;
    let hear = |event: &ProvisionEvent| {
        if let ProvisionEvent::Progress(progress) = event
            && progress.bytes_done == 100_000
        {
            seen = Some(progress.clone());
            stop.cancel();
        }
    };
    let model = request("org/tiny");
    Machine::new(&hub)
        .run_and_hear(&model, &stop, true, hear)
        .await
        .failure();
    let progress = seen.unwrap();
    assert_eq!(
        (
            progress.bytes_total,
            progress.bytes_reused,
            progress.bytes_received
        ),
        (Some(300_000), 0, 100_000)
    );
    assert_eq!((progress.files_done, progress.files_total), (0, 1));
    let file = &progress.files[0];
    assert_eq!((file.index, file.path.as_str()), (1, "tiny-Q4_K_M.gguf"));
    assert_eq!((file.bytes_done, file.bytes_total), (100_000, 300_000));
    assert_eq!((file.try_number, file.tries), (1, 8));
}

#[tokio::test]
async fn a_safetensors_model_is_its_snapshot_folder() {
    let repository = Repository::model("org/st")
        .file("config.json", "{}")
        .file("empty.json", "")
        .large_file(
            "model-00001-of-00002.safetensors",
            Content::safetensors("a", 5_000),
        )
        .large_file(
            "model-00002-of-00002.safetensors",
            Content::safetensors("b", 5_000),
        )
        .large_file("pytorch_model.bin", "pickle");
    let hub = FakeHub::builder()
        .repository(repository.clone())
        .start()
        .await;
    let machine = Machine::new(&hub);
    let published = machine.download("org/st").await.result.unwrap();
    assert_eq!(published.path, published.snapshot_path);
    assert_eq!(published.files, 4);
    for path in [
        "config.json",
        "empty.json",
        "model-00002-of-00002.safetensors",
    ] {
        let content = repository.content(path).unwrap().to_vec();
        assert!(
            fs::read(published.path.join(path)).unwrap() == content,
            "{path}"
        );
    }
}

#[tokio::test]
async fn what_is_here_is_not_fetched_again_unless_it_is_forced() {
    let hub = FakeHub::builder().repository(tiny()).start().await;
    let machine = Machine::new(&hub);
    machine.download("org/tiny").await.result.unwrap();
    let requests = hub.cdn().requests().len();

    let again = machine.download("org/tiny").await;
    assert!(
        again
            .story()
            .contains(&"verified tiny-Q4_K_M.gguf 0".to_owned())
    );
    assert_eq!(again.result.unwrap().bytes_received, 0);
    assert_eq!(hub.cdn().requests().len(), requests);

    let mut forced = request("org/tiny");
    forced.force_download = true;
    let forced = machine.run(&forced, &CancellationToken::new(), true).await;
    assert_eq!(forced.result.unwrap().bytes_received, 300_000);
}

#[tokio::test]
async fn a_moved_branch_gives_the_new_commit_and_leaves_the_old_one() {
    let first = tiny().file("tokenizer.json", "{}");
    let hub = FakeHub::builder().repository(first.clone()).start().await;
    let machine = Machine::new(&hub);
    let old = machine.download("org/tiny").await.result.unwrap();

    let second = first
        .clone()
        .large_file("tiny-Q4_K_M.gguf", Content::gguf("other", 200_000));
    hub.push(second.clone());
    let new = machine.download("org/tiny").await.result.unwrap();
    assert_eq!(new.commit, second.commit());
    assert!(old.path.exists() && new.path.exists());
    let main = machine.store.join("models--org--tiny/refs/main");
    assert_eq!(fs::read_to_string(&main).unwrap(), second.commit());

    let pinned = format!("org/tiny@{}", first.commit());
    let back = machine.download(&pinned).await.result.unwrap();
    assert_eq!((back.commit, back.bytes_received), (first.commit(), 0));
    assert_eq!(fs::read_to_string(main).unwrap(), second.commit());
}

#[tokio::test]
async fn a_listing_of_many_pages_and_a_renamed_repository_are_followed() {
    let mut repository = tiny().renamed_from("old/name");
    for number in 0..25 {
        repository = repository.file(&format!("notes/{number}.md"), "x");
    }
    let hub = FakeHub::builder()
        .repository(repository)
        .tree_page_entries(4)
        .start()
        .await;
    let machine = Machine::new(&hub);
    let mut all = request("old/name");
    all.all_files = true;
    let outcome = machine.run(&all, &CancellationToken::new(), true).await;
    assert_eq!(outcome.result.unwrap().files, 28);
    assert!(hub.api().requests_of(&Requests::to(Route::Tree)).len() > 6);
}

#[tokio::test]
async fn a_plan_says_what_would_be_fetched_and_writes_nothing() {
    let repository = tiny().large_file("tiny-Q8_0.gguf", Content::gguf("tiny", 400_000));
    let gated = tiny().with_id("org/gated").gated();
    let hub = FakeHub::builder()
        .repository(repository)
        .repository(gated)
        .start()
        .await;
    let machine = Machine::new(&hub);
    let stop = CancellationToken::new();
    let plan = machine
        .provisioner
        .plan(&request("org/tiny"), &stop)
        .await
        .unwrap();
    assert_eq!(plan.selector.as_deref(), Some("Q4_K_M"));
    assert_eq!(plan.main.as_deref(), Some("tiny-Q4_K_M.gguf"));
    assert_eq!(
        (plan.bytes_total, plan.bytes_to_fetch),
        (Some(300_000), Some(300_000))
    );
    assert_eq!(
        (plan.left_out.files, plan.left_out.bytes),
        (3, Some(400_009))
    );
    let other = Choice {
        selector: "Q8_0".to_owned(),
        bytes: Some(400_000),
    };
    assert_eq!(plan.others, [other]);
    assert_eq!(plan.access, Access::Granted);
    assert!(plan.free_bytes > 0);

    let gated = machine
        .provisioner
        .plan(&request("org/gated"), &stop)
        .await
        .unwrap();
    assert_eq!(gated.access, Access::Denied);
    assert!(!machine.store.exists());
    assert_eq!(hub.cdn().requests().len(), 0);
}

#[tokio::test]
async fn a_wrong_quantisation_and_a_missing_shard_fail_before_anything_is_written() {
    let repository = tiny()
        .large_file(
            "big-Q8_0-00001-of-00003.gguf",
            Content::gguf_shard("big", 1, 3, 9_000),
        )
        .large_file(
            "big-Q8_0-00003-of-00003.gguf",
            Content::gguf_shard("big", 3, 3, 9_000),
        );
    let hub = FakeHub::builder().repository(repository).start().await;
    let machine = Machine::new(&hub);
    match machine.download("org/tiny:Q4_KM").await.failure() {
        ProvisionError::SelectorNotFound {
            selector,
            suggestions,
            ..
        } => {
            assert_eq!(selector.as_deref(), Some("Q4_KM"));
            assert_eq!(suggestions[0].selector, "Q4_K_M");
        }
        other => panic!("{other:?}"),
    }
    match machine.download("org/tiny:q8_0").await.failure() {
        ProvisionError::IncompleteShards { missing, .. } => {
            assert_eq!(missing, ["big-Q8_0-00002-of-00003.gguf"]);
        }
        other => panic!("{other:?}"),
    }
    assert!(!machine.store.exists());
}
