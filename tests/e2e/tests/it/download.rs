//! `keeper model download`: from the shell to the bytes on disk, and what a person reads meanwhile.

use std::fs;

use e2e::{End, FILE, MODEL, Machine, Running, quantised, transcript};
use fake_hub::{Account, Content, FakeHub, Repository};

#[tokio::test]
async fn a_model_is_downloaded_verified_and_its_path_is_all_that_stdout_says() {
    let repository = quantised();
    let hub = FakeHub::builder()
        .repository(repository.clone())
        .start()
        .await;
    let machine = Machine::new(hub.endpoint().to_string()).unwrap();

    let finished = machine
        .run_keeper(&["model", "download", MODEL])
        .await
        .unwrap();

    assert_eq!(finished.end, End::Exit(0), "{finished}");
    let path = finished.stdout.strip_suffix('\n').unwrap();
    assert_eq!(
        fs::read(path).unwrap(),
        repository.content(FILE).unwrap().to_vec()
    );
    let snapshot = machine
        .store()
        .join("models--acme--Tiny-GGUF/snapshots")
        .join(repository.commit());
    assert_eq!(path, snapshot.join(FILE).display().to_string());
    assert_eq!(
        fs::read_to_string(machine.store().join("models--acme--Tiny-GGUF/refs/main")).unwrap(),
        repository.commit()
    );
    transcript(&machine, || insta::assert_snapshot!("download", finished));
    hub.assert_no_token_leak();
}

#[tokio::test]
async fn what_is_here_already_is_not_fetched_again() {
    let hub = FakeHub::builder().repository(quantised()).start().await;
    let machine = Machine::new(hub.endpoint().to_string()).unwrap();
    let first = machine
        .run_keeper(&["model", "download", MODEL])
        .await
        .unwrap();
    let sent = hub.cdn().bytes_sent_total();

    let second = machine
        .run_keeper(&["model", "download", MODEL])
        .await
        .unwrap();

    assert_eq!(second.stdout, first.stdout);
    assert_eq!(hub.cdn().bytes_sent_total(), sent);
    transcript(&machine, || {
        insta::assert_snapshot!("download_again", second);
    });
}

#[tokio::test]
async fn a_safetensors_model_is_the_snapshot_folder_with_what_an_engine_needs() {
    let repository = Repository::model("acme/Tiny")
        .file("config.json", "{}")
        .file("tokenizer.json", "{}")
        .file("README.md", "# Tiny\n")
        .large_file("model.safetensors", Content::safetensors("weight", 100_000))
        .large_file("pytorch_model.bin", Content::generated(1, 100_000));
    let hub = FakeHub::builder().repository(repository).start().await;
    let machine = Machine::new(hub.endpoint().to_string()).unwrap();

    let finished = machine
        .run_keeper(&["model", "download", "acme/Tiny"])
        .await
        .unwrap();

    let mut names: Vec<String> = fs::read_dir(finished.stdout.trim_end())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(
        names,
        ["config.json", "model.safetensors", "tokenizer.json"]
    );
    transcript(&machine, || {
        insta::assert_snapshot!("download_safetensors", finished);
    });
}

#[tokio::test]
async fn a_private_model_is_fetched_with_the_hubs_token_and_the_cdn_never_sees_it() {
    let repository = quantised().private();
    let hub = FakeHub::builder()
        .repository(repository)
        .account(Account::new("alice", "hf_canary").grant(MODEL))
        .start()
        .await;
    let machine = Machine::new(hub.endpoint().to_string()).unwrap();

    let mut command = machine.keeper(["model", "download", MODEL]);
    let finished = Running::start(command.env("HF_TOKEN", "hf_canary"))
        .unwrap()
        .finish()
        .await
        .unwrap();

    assert_eq!(finished.end, End::Exit(0), "{finished}");
    hub.assert_no_token_leak();
    for entry in walk(&machine.state()) {
        let bytes = fs::read(&entry).unwrap();
        assert!(
            !bytes.windows(9).any(|window| window == b"hf_canary"),
            "{} holds the token",
            entry.display()
        );
    }
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries.filter(|path| path.is_file()).collect()
}

#[tokio::test]
async fn a_shell_that_captures_the_path_goes_on_at_once_though_the_hive_lives() {
    let hub = FakeHub::builder().repository(quantised()).start().await;
    let machine = Machine::new(hub.endpoint().to_string()).unwrap();

    let script = format!("path=$(keeper model download {MODEL}) && echo \"got $path\"");
    let finished = Running::start(&mut machine.program("sh", ["-c", &script]))
        .unwrap()
        .finish()
        .await
        .unwrap();

    assert!(
        finished.stdout.starts_with("got /") && finished.stdout.ends_with(".gguf\n"),
        "{finished}"
    );
}

#[tokio::test]
async fn json_lines_end_with_the_job() {
    let hub = FakeHub::builder().repository(quantised()).start().await;
    let machine = Machine::new(hub.endpoint().to_string()).unwrap();

    let finished = machine
        .run_keeper(&["--format", "json", "model", "download", MODEL])
        .await
        .unwrap();

    let lines: Vec<serde_json::Value> = finished
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let (job, events) = lines.split_last().unwrap();
    assert_eq!(job["state"], "succeeded");
    assert_eq!(events.first().unwrap()["event"], "snapshot");
    assert_eq!(events.last().unwrap()["event"], "succeeded");
}
