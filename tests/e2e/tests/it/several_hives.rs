//! Several hives in one command: a job on each, none keeps another waiting, and each that fails is told and counts.
#![expect(
    clippy::expect_used,
    reason = "a failed expect is a failed test with its line"
)]

use std::{
    fs, io::Write, net::TcpListener, os::unix::fs::PermissionsExt, path::Path, time::Duration,
};

use e2e::{End, FILE, Finished, Fleet, MODEL, Machine, Running, quantised, slowly, transcript};
use fake_hub::FakeHub;
use rustix::process::Signal;
use serde_json::Value;

const SIGINT: i32 = 2;
const LIMIT: Duration = Duration::from_secs(20);

/// An address of this machine at which nobody listens.
fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// The story with the lines of each hive together: which hive is first with one is chance.
fn hive_by_hive(story: &str) -> String {
    let (before, table) = story.split_once("Hive  ").expect("a table at the end");
    let mut parts: Vec<(String, String)> = Vec::new();
    for line in before.lines() {
        if let Some((_, part)) = parts.last_mut().filter(|_| line.starts_with("  ")) {
            part.extend([line, "\n"]);
        } else {
            let hive = line.split(':').next().unwrap().to_owned();
            parts.push((hive, format!("{line}\n")));
        }
    }
    parts.sort_by(|one, other| one.0.cmp(&other.0));
    let parts: String = parts.into_iter().map(|(_, part)| part).collect();
    format!("{parts}Hive  {table}")
}

fn shown(fleet: &Fleet, name: &str, finished: &Finished) {
    let finished = Finished {
        stderr: hive_by_hive(&finished.stderr),
        ..finished.clone()
    };
    transcript(&fleet.laptop, || {
        let mut settings = insta::Settings::clone_current();
        for (server, _) in &fleet.servers {
            settings.add_filter(&server.home().display().to_string(), "[home]");
        }
        settings.add_filter("(?m)^(gpu\\d): downloading .*\n", "");
        settings.add_filter("(?m)^[0-9a-f]{6} ", "[job]  ");
        settings.add_filter("(Cancelled) [0-9a-f]{6}", "$1 [job]");
        settings.bind(|| insta::assert_snapshot!(name, finished));
    });
}

#[tokio::test]
async fn a_model_comes_to_every_hive_and_each_tells_its_path() {
    let fleet = Fleet::start().await.unwrap();
    let download = ["--hive", "gpu1", "--hive", "gpu2", "pull", MODEL];
    let finished = fleet.keeper(&download).await.unwrap();
    assert_eq!(finished.end, End::Exit(0), "{finished}");
    for ((server, _), line) in fleet.servers.iter().zip(finished.stdout.lines()) {
        let path = line.split('\t').nth(1).expect("a hive and a path");
        assert!(Path::new(path).starts_with(server.store()), "{finished}");
        assert_eq!(fs::metadata(path).unwrap().len(), 8_000_000);
    }
    shown(&fleet, "several_hives_succeed", &finished);

    // By label it is one of them, and the form is that of several.
    let again = ["--hives", "gpu=h100", "--format", "json", "pull", MODEL];
    let again = fleet.keeper(&again).await.unwrap();
    let last: Value = serde_json::from_str(again.stdout.lines().last().unwrap()).unwrap();
    assert_eq!(
        (&last["hive"], &last["state"]),
        (&"gpu2".into(), &"succeeded".into())
    );
    let models = fleet
        .keeper(&["--all-hives", "model", "list"])
        .await
        .unwrap();
    assert_eq!(models.stdout.matches(MODEL).count(), 2, "{models}");
    let one_only = fleet
        .keeper(&["--all-hives", "hive", "whoami"])
        .await
        .unwrap();
    assert_eq!(one_only.end, End::Exit(2), "{one_only}");
    assert!(
        one_only.stderr.contains("gpu1, gpu2 are meant"),
        "{one_only}"
    );
    fleet.end().await.unwrap();
}

#[tokio::test]
async fn a_hive_that_is_down_stops_no_other_and_counts() {
    let fleet = Fleet::start().await.unwrap();
    fleet.add_unchecked("gpu7", &nobody()).await.unwrap();
    let finished = fleet.keeper(&["--all-hives", "pull", MODEL]).await.unwrap();
    assert_eq!(finished.end, End::Exit(3), "{finished}");
    assert_eq!(finished.stdout.lines().count(), 2, "{finished}");
    shown(&fleet, "several_hives_one_down", &finished);
    fleet.end().await.unwrap();
}

#[tokio::test]
async fn a_hive_whose_entry_is_wrong_fails_alone_and_a_name_that_is_none_refuses_all() {
    let fleet = Fleet::start().await.unwrap();
    let folder = fleet.laptop.home().join(".config/keeper");
    let append = |file: &str, text: &str| {
        let file = fs::OpenOptions::new().append(true).open(folder.join(file));
        file.unwrap().write_all(text.as_bytes()).unwrap();
    };
    append(
        "config.toml",
        "[hives.pinless]\nurl = \"https://127.0.0.1:9\"\npin = \"md5:1\"\n",
    );
    append(
        "config.toml",
        "[hives.scheme]\nurl = \"ftp://127.0.0.1:9\"\n",
    );
    append(
        "config.toml",
        "[hives.token]\nurl = \"https://127.0.0.1:9\"\n",
    );
    append("credentials.toml", "[token]\ntokn = \"secret\"\n");
    let finished = fleet.keeper(&["--all-hives", "pull", MODEL]).await.unwrap();
    assert_eq!(finished.end, End::Exit(2), "{finished}");
    assert_eq!(finished.stdout.matches(FILE).count(), 2, "{finished}");
    for hive in ["pinless", "scheme", "token"] {
        let told = |line: &str| line.starts_with(&format!("{hive}: "));
        assert!(finished.stderr.lines().any(told), "{finished}");
        let row = |line: &str| line.starts_with(&format!("{hive} ")) && line.contains("  failed ");
        assert!(finished.stderr.lines().any(row), "{finished}");
    }
    assert!(!finished.stderr.contains("secret"), "{finished}");
    let listed = fleet.keeper(&["--all-hives", "job", "list"]).await.unwrap();
    assert_eq!(listed.end, End::Exit(2), "{listed}");
    assert!(listed.stderr.contains("2 of 5 hives answered"), "{listed}");

    let misspelt = ["--hive", "gpu1", "--hive", "gpu22", "pull", MODEL];
    let misspelt = fleet.keeper(&misspelt).await.unwrap();
    assert_eq!(misspelt.end, End::Exit(2), "{misspelt}");
    assert!(!misspelt.stderr.contains("accepted"), "{misspelt}");
    assert!(misspelt.stderr.contains("gpu1, gpu2, "), "{misspelt}");
    fleet.end().await.unwrap();
}

#[tokio::test]
async fn a_job_is_found_on_the_hive_that_has_it_and_is_acted_on_there() {
    let fleet = Fleet::start().await.unwrap();
    let held = fleet.hub.hold_api();
    let submitted = ["--all-hives", "pull", MODEL, "--detach"];
    let submitted = fleet.keeper(&submitted).await.unwrap();
    let id_on = |hive: &str| {
        let line = submitted.stdout.lines().find(|line| line.starts_with(hive));
        line.and_then(|line| line.split('\t').nth(1))
            .unwrap()
            .to_owned()
    };
    let (first, second) = (id_on("gpu1"), id_on("gpu2"));
    fleet.add_unchecked("gpu7", &nobody()).await.unwrap();
    let run = async |rest: &[&str]| {
        let arguments: Vec<&str> = ["--all-hives"].iter().chain(rest).copied().collect();
        fleet.keeper(&arguments).await.unwrap()
    };
    let shown = run(&["job", "show", &second[30..]]).await;
    assert_eq!(shown.end, End::Exit(0), "{shown}");
    assert!(shown.stdout.contains("  Hive   gpu2\n"), "{shown}");
    let of_both = run(&["job", "show", &first[..8]]).await;
    assert_eq!(of_both.end, End::Exit(5), "{of_both}");
    for named in [format!("{first} on gpu1"), format!("{second} on gpu2")] {
        let words: Vec<&str> = of_both.stderr.split_whitespace().collect();
        assert!(words.join(" ").contains(&named), "{of_both}");
    }
    let limited = run(&["job", "limit", &second, "1MB"]).await;
    assert!(
        limited.stderr.contains("on gpu2 receives 1 MB/s"),
        "{limited}"
    );
    let cancelled = run(&["--format", "json", "job", "cancel", &second[30..], &first]).await;
    assert_eq!(cancelled.end, End::Exit(0), "{cancelled}");
    let hives = cancelled.stdout.lines().map(|line| {
        let job: Value = serde_json::from_str(line).unwrap();
        assert_eq!(job["state"], "cancelled");
        job["hive"].as_str().unwrap().to_owned()
    });
    assert_eq!(hives.collect::<Vec<_>>(), ["gpu2", "gpu1"]);
    let watched = run(&["job", "watch", &first]).await;
    assert_eq!(watched.end, End::Exit(130), "{watched}");
    assert!(watched.stderr.contains("gpu1  cancelled"), "{watched}");
    let logs = run(&["job", "logs", &first, &second]).await;
    assert!(
        logs.stdout
            .contains(&format!("gpu2  {}  20", &second[30..])),
        "{logs}"
    );

    // What no hive that answered has may be on the one that did not.
    let unknown = run(&["job", "show", "ffffff"]).await;
    assert_eq!(unknown.end, End::Exit(3), "{unknown}");
    assert!(
        unknown
            .stderr
            .contains("on gpu1, gpu2; gpu7 refused the connection"),
        "{unknown}"
    );
    held.release();
    fleet.end().await.unwrap();
}

#[tokio::test]
async fn a_model_is_planned_shown_and_removed_on_every_hive_that_has_it() {
    let fleet = Fleet::start().await.unwrap();
    let run = async |rest: &[&str]| {
        let arguments: Vec<&str> = ["--all-hives"].iter().chain(rest).copied().collect();
        fleet.keeper(&arguments).await.unwrap()
    };
    let planned = run(&["model", "plan", MODEL]).await;
    assert_eq!(planned.end, End::Exit(0), "{planned}");
    for hive in ["gpu1", "gpu2"] {
        let line = format!("{hive}: {MODEL} at ");
        assert!(planned.stdout.contains(&line), "{planned}");
    }
    let finished = fleet
        .keeper(&["--hive", "gpu2", "pull", MODEL])
        .await
        .unwrap();
    assert_eq!(finished.end, End::Exit(0), "{finished}");
    let shown = run(&["model", "show", MODEL]).await;
    assert_eq!(shown.end, End::Exit(0), "{shown}");
    assert!(shown.stdout.starts_with("gpu2: "), "{shown}");
    assert!(
        shown.stderr.contains(&format!("{MODEL} is not on gpu1")),
        "{shown}"
    );
    let asked = run(&["model", "remove", MODEL]).await;
    assert_eq!(asked.end, End::Exit(2), "{asked}");
    assert!(asked.stderr.contains("8.0 MB, from gpu2:/"), "{asked}");
    fleet.add_unchecked("gpu7", &nobody()).await.unwrap();
    let removed = run(&["model", "remove", MODEL, "--yes"]).await;
    assert_eq!(removed.end, End::Exit(3), "{removed}");
    assert!(
        removed.stderr.contains("from gpu2, 8.0 MB freed"),
        "{removed}"
    );
    assert!(
        removed.stderr.contains("gpu7: No hive answers at"),
        "{removed}"
    );
    let again = ["--hive", "gpu1", "--hive", "gpu2", "rm", MODEL, "--yes"];
    let again = fleet.keeper(&again).await.unwrap();
    assert_eq!(again.end, End::Exit(5), "{again}");
    fleet.end().await.unwrap();
}

#[tokio::test]
async fn what_the_hives_do_not_see_of_this_environment_is_told_once_with_their_names() {
    let fleet = Fleet::start().await.unwrap();
    let mut keeper = fleet.laptop.keeper(["--all-hives", "pull", MODEL]);
    keeper
        .env("HF_ENDPOINT", "http://127.0.0.1:9")
        .env("HF_TOKEN", "hf_secret");
    let finished = Running::start(&mut keeper).unwrap().finish().await.unwrap();
    assert_eq!(finished.end, End::Exit(0), "{finished}");
    for line in [
        "HF_ENDPOINT is not what gpu1, gpu2 have (",
        "HF_TOKEN is set here, and gpu1, gpu2 have no token for the Hub: keeper ",
    ] {
        assert_eq!(finished.stderr.matches(line).count(), 1, "{finished}");
    }
    assert_eq!(finished.stderr.matches("HF_").count(), 2, "{finished}");
    fleet.end().await.unwrap();
}

#[tokio::test]
async fn a_job_that_fails_on_one_hive_fails_alone() {
    let fleet = Fleet::start().await.unwrap();
    let downloads = ["pull", MODEL, "acme/None-GGUF", "--all-hives"];
    let finished = fleet.keeper(&downloads).await.unwrap();
    assert_eq!(finished.end, End::Exit(1), "{finished}");
    assert_eq!(finished.stdout.matches(FILE).count(), 2, "{finished}");
    for hive in ["gpu1", "gpu2"] {
        let row = format!("{hive}  failed     download acme/None-GGUF");
        assert!(finished.stderr.contains(&row), "{finished}");
        let failed = format!("Failed on {hive}: ");
        assert!(finished.stderr.contains(&failed), "{finished}");
    }
    fleet.end().await.unwrap();
}

#[tokio::test]
async fn one_ctrl_c_cancels_on_every_hive() {
    let fleet = Fleet::start().await.unwrap();
    slowly(&fleet.hub);
    let download = ["--all-hives", "pull", MODEL];
    let mut keeper = Running::start(&mut fleet.laptop.keeper(download)).unwrap();
    for hive in ["gpu1", "gpu2"] {
        let plan = format!("{hive}: 0 B already here");
        keeper.wait_for_stderr(&plan).await.unwrap();
    }
    fleet
        .hub
        .cdn()
        .wait_for_bytes_sent(FILE, 200_000, LIMIT)
        .await
        .unwrap();
    keeper.signal(Signal::INT).unwrap();
    let finished = keeper.finish().await.unwrap();
    assert_eq!(finished.end, End::Signal(SIGINT), "{finished}");
    let cancelling = "Cancelling 2 jobs on gpu1, gpu2";
    assert!(finished.stderr.contains(cancelling), "{finished}");
    for hive in ["gpu1", "gpu2"] {
        let row = format!("{hive}  cancelled  download {MODEL}");
        assert!(finished.stderr.contains(&row), "{finished}");
    }
    fleet
        .hub
        .cdn()
        .wait_for_all_connections_closed(LIMIT)
        .await
        .unwrap();
    fleet.end().await.unwrap();
}

#[tokio::test]
async fn a_hive_on_the_way_keeps_no_other_waiting_and_gets_nothing_after_ctrl_c() {
    let fleet = Fleet::start().await.unwrap();
    fleet.add_unchecked("slow", "ssh://slow").await.unwrap();
    let home = fleet.laptop.home();
    let bin = home.join("bin");
    fs::create_dir_all(&bin).unwrap();
    let ssh = bin.join("ssh");
    fs::write(&ssh, "#!/bin/sh\nexec sleep 60\n").unwrap();
    fs::set_permissions(&ssh, fs::Permissions::from_mode(0o755)).unwrap();
    let download = ["--hive", "slow", "--hive", "gpu1", "pull", MODEL];
    let mut keeper = fleet.laptop.keeper(download);
    keeper
        .env("PATH", format!("{}:/usr/bin:/bin", bin.display()))
        .env("XDG_RUNTIME_DIR", home);
    let mut keeper = Running::start(&mut keeper).unwrap();
    keeper.wait_for_stderr("gpu1: done, 8.0 MB").await.unwrap();
    keeper.signal(Signal::INT).unwrap();
    let finished = keeper.finish().await.unwrap();
    assert_eq!(finished.end, End::Signal(SIGINT), "{finished}");
    let row = format!("slow  not submitted  download {MODEL}");
    assert!(finished.stderr.contains(&row), "{finished}");
    assert!(finished.stdout.starts_with("gpu1\t"), "{finished}");
    fleet.end().await.unwrap();
}

#[tokio::test]
async fn the_jobs_of_all_hives_are_listed_though_one_refuses_and_one_never_answers() {
    let fleet = Fleet::start().await.unwrap();
    fleet.add_unchecked("gpu7", &nobody()).await.unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", silent.local_addr().unwrap());
    fleet.add_unchecked("gpu9", &address).await.unwrap();
    let held = fleet.hub.hold_api();
    let download = [
        "pull", MODEL, "--detach", "--hive", "gpu1", "--hive", "gpu2",
    ];
    let submitted = fleet.keeper(&download).await.unwrap();
    assert_eq!(submitted.end, End::Exit(0), "{submitted}");
    assert!(submitted.stdout.contains("gpu1\t"), "{submitted}");
    let listed = fleet.keeper(&["job", "list", "--all-hives"]).await.unwrap();
    assert_eq!(listed.end, End::Exit(3), "{listed}");
    let words = "2 of 4 hives answered; gpu7 refused the connection, gpu9 timed out";
    assert!(listed.stderr.contains(words), "{listed}");
    for hive in ["gpu1", "gpu2"] {
        let row = format!("  {hive}  download Tiny-GGUF");
        assert_eq!(listed.stdout.matches(&row).count(), 1, "{listed}");
    }
    let json = ["job", "list", "--all-hives", "--format", "json"];
    let json = fleet.keeper(&json).await.unwrap();
    let json: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json["jobs"].as_array().unwrap().len(), 2);
    assert_eq!(json["unanswered"][0]["hive"], "gpu7");
    held.release();
    fleet.end().await.unwrap();
}

#[tokio::test]
async fn all_hives_of_a_keeper_that_knows_none_are_the_one_of_this_machine() {
    let hub = FakeHub::builder().repository(quantised()).start().await;
    let machine = Machine::new(hub.endpoint().to_string()).unwrap();
    let finished = machine
        .run_keeper(&["--all-hives", "pull", MODEL])
        .await
        .unwrap();
    assert_eq!(finished.end, End::Exit(0), "{finished}");
    assert!(finished.stdout.starts_with("local\t/"), "{finished}");
}
