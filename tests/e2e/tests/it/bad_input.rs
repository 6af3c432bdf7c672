//! Bad input gets one clear error with a remedy, its own exit code, and nothing is written.

use e2e::{End, FILE, MODEL, Machine, Running, quantised, transcript};
use fake_hub::{Content, FakeHub, Fault, Repository, Requests};

async fn refused(hub: &FakeHub, name: &str, arguments: &[&str], code: i32) -> Machine {
    let machine = Machine::new(hub.endpoint().to_string()).unwrap();
    let finished = machine.run_keeper(arguments).await.unwrap();
    assert_eq!(finished.end, End::Exit(code), "{finished}");
    assert_eq!(finished.stdout, "", "{finished}");
    transcript(&machine, || insta::assert_snapshot!(name, finished));
    machine
}

#[tokio::test]
async fn a_malformed_reference_is_refused_with_exit_2() {
    let hub = FakeHub::builder().start().await;
    refused(
        &hub,
        "malformed_reference",
        &["model", "download", "Qwen3"],
        2,
    )
    .await;
}

#[tokio::test]
async fn an_unknown_option_is_refused_with_exit_2() {
    let hub = FakeHub::builder().start().await;
    refused(
        &hub,
        "unknown_option",
        &["model", "download", MODEL, "--all-fils"],
        2,
    )
    .await;
}

#[tokio::test]
async fn a_bad_address_is_refused_with_exit_2() {
    let hub = FakeHub::builder().start().await;
    refused(
        &hub,
        "bad_address",
        &["--hive", "ftp://gpu1", "job", "list"],
        2,
    )
    .await;
}

#[tokio::test]
async fn a_repository_that_does_not_exist_fails_the_job() {
    let hub = FakeHub::builder().start().await;
    refused(
        &hub,
        "no_such_repository",
        &["model", "download", "acme/Nothing"],
        1,
    )
    .await;
}

#[tokio::test]
async fn a_gated_repository_says_where_to_get_access() {
    let hub = FakeHub::builder()
        .repository(quantised().gated())
        .start()
        .await;
    refused(&hub, "gated", &["model", "download", MODEL], 1).await;
}

#[tokio::test]
async fn a_wrong_quantisation_names_the_nearest_with_their_sizes() {
    let hub = FakeHub::builder().repository(quantised()).start().await;
    refused(
        &hub,
        "wrong_quantisation",
        &["model", "download", "acme/Tiny-GGUF:Q4_KM"],
        1,
    )
    .await;
}

#[tokio::test]
async fn a_path_that_would_leave_the_store_fails_the_job_and_nothing_is_written() {
    let repository = quantised().file("../../../../escaped.json", "{}");
    let hub = FakeHub::builder().repository(repository).start().await;
    let machine = refused(
        &hub,
        "unsafe_name",
        &["model", "download", MODEL, "--all-files"],
        1,
    )
    .await;
    assert!(!machine.home().join("escaped.json").exists());
    assert!(
        !machine
            .store()
            .join("models--acme--Tiny-GGUF/snapshots")
            .exists()
    );
}

#[tokio::test]
async fn a_wrong_byte_fails_the_job_and_nothing_is_at_the_models_path() {
    let hub = FakeHub::builder().repository(quantised()).start().await;
    hub.on(Requests::cdn())
        .answer(Fault::WrongByteAt(4_000_000));
    let machine = Machine::new(hub.endpoint().to_string()).unwrap();

    let finished = machine
        .run_keeper(&["model", "download", MODEL])
        .await
        .unwrap();

    assert_eq!(finished.end, End::Exit(75), "{finished}");
    assert!(finished.stderr.contains("integrity_mismatch"), "{finished}");
    assert!(
        !machine
            .store()
            .join("models--acme--Tiny-GGUF/snapshots")
            .exists()
    );
    let blobs = std::fs::read_dir(machine.store().join("models--acme--Tiny-GGUF/blobs")).unwrap();
    assert_eq!(blobs.count(), 0);
}

#[tokio::test]
async fn an_incomplete_set_of_shards_is_refused_naming_the_missing() {
    let mut repository = Repository::model("acme/Big-GGUF");
    for number in [1, 3] {
        let path = format!("Big-Q4_K_M-{number:05}-of-00003.gguf");
        repository = repository.large_file(&path, Content::gguf_shard("Big", number, 3, 10_000));
    }
    let hub = FakeHub::builder().repository(repository).start().await;
    refused(
        &hub,
        "incomplete_shards",
        &["model", "download", "acme/Big-GGUF"],
        1,
    )
    .await;
}

#[tokio::test]
async fn no_hive_and_no_start_by_itself_says_what_starts_one() {
    let hub = FakeHub::builder().start().await;
    let machine = Machine::new(hub.endpoint().to_string()).unwrap();
    let mut command = machine.keeper(["job", "list"]);
    let finished = Running::start(command.env("KEEPER_NO_AUTOSTART", "1"))
        .unwrap()
        .finish()
        .await
        .unwrap();
    assert_eq!(finished.end, End::Exit(3), "{finished}");
    transcript(&machine, || insta::assert_snapshot!("no_hive", finished));
}

#[tokio::test]
async fn control_characters_of_a_hostile_repository_never_reach_the_terminal() {
    let repository = quantised().file("\u{1b}]0;owned\u{7}.json", "{}");
    let hub = FakeHub::builder().repository(repository).start().await;
    let machine = Machine::new(hub.endpoint().to_string()).unwrap();
    let finished = machine
        .run_keeper(&["model", "download", MODEL, "--all-files"])
        .await
        .unwrap();
    assert!(
        !finished.stderr.contains('\u{1b}') && !finished.stdout.contains('\u{1b}'),
        "{finished:?}"
    );
    assert!(
        !machine
            .store()
            .join(format!("models--acme--Tiny-GGUF/snapshots/{FILE}"))
            .exists()
    );
}
