//! Several hives in one command: a job on each, none keeps another waiting, and each that fails is told and counts.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a failed unwrap is a failed test with its line"
)]

use std::{fs, net::TcpListener, os::unix::fs::PermissionsExt, path::Path, time::Duration};

use e2e::{End, FILE, Finished, MODEL, Machine, Running, quantised, slowly, transcript};
use fake_hub::FakeHub;
use rustix::process::Signal;
use serde_json::Value;

const SIGINT: i32 = 2;
const LIMIT: Duration = Duration::from_secs(20);

/// A hub, a laptop, and the machines of two hives that it is paired with: gpu1 and gpu2.
struct Fleet {
    hub: FakeHub,
    laptop: Machine,
    servers: Vec<(Machine, Running)>,
}

impl Fleet {
    async fn start() -> Self {
        let hub = FakeHub::builder().repository(quantised()).start().await;
        let laptop = Machine::new(hub.endpoint().to_string()).unwrap();
        let mut servers = Vec::new();
        for number in [1, 2] {
            let server = Machine::new(hub.endpoint().to_string()).unwrap();
            let serve = ["--listen", "127.0.0.1:0", "--tls-self-signed"];
            let hive = server.start_hive(&serve).await.unwrap();
            let pair = Running::start(&mut server.hive(["pair"])).unwrap();
            let line = pair.finish().await.unwrap().stdout;
            let mut words: Vec<&str> = line.split_whitespace().skip(1).collect();
            let name = format!("gpu{number}");
            words[2] = &name;
            let label = if number == 1 { "gpu=a100" } else { "gpu=h100" };
            words.extend(["--label", label]);
            let added = laptop.run_keeper(&words).await.unwrap();
            assert_eq!(added.end, End::Exit(0), "{added}");
            servers.push((server, hive));
        }
        Self {
            hub,
            laptop,
            servers,
        }
    }

    async fn keeper(&self, arguments: &[&str]) -> Finished {
        self.laptop.run_keeper(arguments).await.unwrap()
    }

    /// Adds a hive of this name at an address where there is none.
    async fn add_unchecked(&self, name: &str, address: &str) {
        let added = ["hive", "add", name, address, "--no-check"];
        let added = self.keeper(&added).await;
        assert_eq!(added.end, End::Exit(0), "{added}");
    }

    /// Ends all hives; the laptop's own is used again, which the machine stops at its end.
    async fn end(self) {
        self.keeper(&["hive", "use", "local"]).await;
        for (_, hive) in self.servers {
            hive.signal(Signal::TERM).unwrap();
            hive.finish().await.unwrap();
        }
    }
}

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
    let fleet = Fleet::start().await;
    let download = ["--hive", "gpu1", "--hive", "gpu2", "pull", MODEL];
    let finished = fleet.keeper(&download).await;
    assert_eq!(finished.end, End::Exit(0), "{finished}");
    for ((server, _), line) in fleet.servers.iter().zip(finished.stdout.lines()) {
        let path = line.split('\t').nth(1).expect("a hive and a path");
        assert!(Path::new(path).starts_with(server.store()), "{finished}");
        assert_eq!(fs::metadata(path).unwrap().len(), 8_000_000);
    }
    shown(&fleet, "several_hives_succeed", &finished);

    // By label it is one of them, and the form is that of several.
    let again = ["--hives", "gpu=h100", "--format", "json", "pull", MODEL];
    let again = fleet.keeper(&again).await;
    let last: Value = serde_json::from_str(again.stdout.lines().last().unwrap()).unwrap();
    assert_eq!(
        (&last["hive"], &last["state"]),
        (&"gpu2".into(), &"succeeded".into())
    );
    let models = fleet.keeper(&["--all-hives", "model", "list"]).await;
    assert_eq!(models.stdout.matches(MODEL).count(), 2, "{models}");
    let one_only = fleet.keeper(&["--all-hives", "job", "show"]).await;
    assert_eq!(one_only.end, End::Exit(2), "{one_only}");
    assert!(
        one_only.stderr.contains("gpu1, gpu2 are meant"),
        "{one_only}"
    );
    fleet.end().await;
}

#[tokio::test]
async fn a_hive_that_is_down_stops_no_other_and_counts() {
    let fleet = Fleet::start().await;
    fleet.add_unchecked("gpu7", &nobody()).await;
    let finished = fleet.keeper(&["--all-hives", "pull", MODEL]).await;
    assert_eq!(finished.end, End::Exit(3), "{finished}");
    assert_eq!(finished.stdout.lines().count(), 2, "{finished}");
    shown(&fleet, "several_hives_one_down", &finished);
    fleet.end().await;
}

#[tokio::test]
async fn a_job_that_fails_on_one_hive_fails_alone() {
    let fleet = Fleet::start().await;
    let downloads = ["pull", MODEL, "acme/None-GGUF", "--all-hives"];
    let finished = fleet.keeper(&downloads).await;
    assert_eq!(finished.end, End::Exit(1), "{finished}");
    assert_eq!(finished.stdout.matches(FILE).count(), 2, "{finished}");
    for hive in ["gpu1", "gpu2"] {
        let row = format!("{hive}  failed     download acme/None-GGUF");
        assert!(finished.stderr.contains(&row), "{finished}");
        let failed = format!("Failed on {hive}: ");
        assert!(finished.stderr.contains(&failed), "{finished}");
    }
    fleet.end().await;
}

#[tokio::test]
async fn one_ctrl_c_cancels_on_every_hive() {
    let fleet = Fleet::start().await;
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
    fleet.end().await;
}

#[tokio::test]
async fn a_hive_on_the_way_keeps_no_other_waiting_and_gets_nothing_after_ctrl_c() {
    let fleet = Fleet::start().await;
    fleet.add_unchecked("slow", "ssh://slow").await;
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
    fleet.end().await;
}

#[tokio::test]
async fn the_jobs_of_all_hives_are_listed_though_one_refuses_and_one_never_answers() {
    let fleet = Fleet::start().await;
    fleet.add_unchecked("gpu7", &nobody()).await;
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", silent.local_addr().unwrap());
    fleet.add_unchecked("gpu9", &address).await;
    let held = fleet.hub.hold_api();
    let download = [
        "pull", MODEL, "--detach", "--hive", "gpu1", "--hive", "gpu2",
    ];
    let submitted = fleet.keeper(&download).await;
    assert_eq!(submitted.end, End::Exit(0), "{submitted}");
    assert!(submitted.stdout.contains("gpu1\t"), "{submitted}");
    let listed = fleet.keeper(&["job", "list", "--all-hives"]).await;
    assert_eq!(listed.end, End::Exit(3), "{listed}");
    let words = "2 of 4 hives answered; gpu7 refused the connection, gpu9 timed out";
    assert!(listed.stderr.contains(words), "{listed}");
    for hive in ["gpu1", "gpu2"] {
        let row = format!("  {hive}  download Tiny-GGUF");
        assert_eq!(listed.stdout.matches(&row).count(), 1, "{listed}");
    }
    let json = ["job", "list", "--all-hives", "--format", "json"];
    let json = fleet.keeper(&json).await;
    let json: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json["jobs"].as_array().unwrap().len(), 2);
    assert_eq!(json["unanswered"][0]["hive"], "gpu7");
    held.release();
    fleet.end().await;
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
