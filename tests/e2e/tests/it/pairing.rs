//! A hive behind TLS: one line there, one line here, and from then on as at home, until the token is revoked.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use e2e::{End, FILE, Finished, MODEL, Machine, Running, quantised, transcript};
use fake_hub::FakeHub;

/// A hub, the machine of a hive that speaks TLS, and the machine of a keeper.
struct Two {
    _hub: FakeHub,
    server: Machine,
    laptop: Machine,
    hive: Running,
}

const LISTEN: [&str; 3] = ["--listen", "127.0.0.1:0", "--tls-self-signed"];

impl Two {
    async fn start() -> Self {
        let hub = FakeHub::builder().repository(quantised()).start().await;
        let server = Machine::new(hub.endpoint().to_string()).unwrap();
        let laptop = Machine::new("http://127.0.0.1:9").unwrap();
        let hive = server.start_hive(&LISTEN).await.unwrap();
        Self {
            _hub: hub,
            server,
            laptop,
            hive,
        }
    }

    /// Runs `hive` on the server to its end.
    async fn hive(&self, arguments: &[&str]) -> Finished {
        let finished = Running::start(&mut self.server.hive(arguments)).unwrap();
        let finished = finished.finish().await.unwrap();
        assert_eq!(finished.end, End::Exit(0), "{finished}");
        finished
    }

    /// The words of the line that `hive pair` prints, after `keeper`, with this name for the hive.
    async fn printed(&self) -> Vec<String> {
        let line = self.hive(&["pair"]).await.stdout;
        let mut words = line.split_whitespace().map(str::to_owned);
        assert_eq!(words.next().as_deref(), Some("keeper"), "{line}");
        let mut words: Vec<String> = words.collect();
        assert_eq!(&words[..2], ["hive", "add"], "{line}");
        "gpu1".clone_into(&mut words[2]);
        words
    }

    async fn run(&self, line: &[String]) -> Finished {
        let line: Vec<&str> = line.iter().map(String::as_str).collect();
        self.laptop.run_keeper(&line).await.unwrap()
    }

    async fn keeper(&self, arguments: &[&str]) -> Finished {
        self.laptop.run_keeper(arguments).await.unwrap()
    }

    /// The laptop's own hive is used again, which the machine stops at its end.
    async fn end(self) {
        self.keeper(&["hive", "remove", "gpu1"]).await;
        self.hive.signal(rustix::process::Signal::TERM).unwrap();
        self.hive.finish().await.unwrap();
    }
}

fn credentials(machine: &Machine) -> PathBuf {
    machine.home().join(".config/keeper/credentials.toml")
}

fn shown(machine: &Machine, check: impl FnOnce()) {
    transcript(machine, || {
        let mut settings = insta::Settings::clone_current();
        settings.add_filter("sha256:[0-9a-f]{64}", "[fingerprint]");
        settings.add_filter("[0-9.]+ [kMGT]B free", "[free] free");
        settings.add_filter("called [A-Za-z0-9_.-]+ there", "called [machine] there");
        settings.bind(check);
    });
}

#[tokio::test]
async fn the_printed_line_pairs_and_from_then_on_the_hive_is_used_over_tls() {
    let two = Two::start().await;
    let line = two.printed().await;
    let added = two.run(&line).await;
    shown(&two.laptop, || insta::assert_snapshot!("paired", added));
    let mode = fs::metadata(credentials(&two.laptop)).unwrap();
    assert_eq!(mode.permissions().mode() & 0o777, 0o600);

    let downloaded = two.keeper(&["model", "download", MODEL]).await;
    assert_eq!(downloaded.end, End::Exit(0), "{downloaded}");
    let path = downloaded.stdout.trim_end();
    assert!(path.ends_with(FILE), "{downloaded}");
    assert!(Path::new(path).starts_with(two.server.store()));
    let watched = two.keeper(&["job", "watch"]).await;
    assert_eq!(watched.end, End::Exit(0), "{watched}");

    let used = two.run(&[line, vec!["--replace".into()]].concat()).await;
    shown(&two.laptop, || {
        insta::assert_snapshot!("pairing_code_used", used);
    });
    two.end().await;
}

#[tokio::test]
async fn a_revoked_token_is_told_with_the_way_back_in() {
    let two = Two::start().await;
    let added = two.run(&two.printed().await).await;
    assert_eq!(added.end, End::Exit(0), "{added}");
    let tokens = two.hive(&["token", "list", "--format", "json"]).await;
    let name = tokens.stdout.split("\"name\":\"").nth(1).unwrap();
    let name = name.split('"').next().unwrap();
    two.hive(&["token", "revoke", name]).await;
    let revoked = two.keeper(&["job", "list"]).await;
    shown(&two.laptop, || {
        insta::assert_snapshot!("token_revoked", revoked);
    });

    let again = [two.printed().await, vec!["--replace".into()]].concat();
    let again = two.run(&again).await;
    assert_eq!(again.end, End::Exit(0), "{again}");
    let listed = two.keeper(&["job", "list"]).await;
    assert_eq!(listed.end, End::Exit(0), "{listed}");

    let removed = two.keeper(&["hive", "remove", "gpu1"]).await;
    assert_eq!(removed.end, End::Exit(0), "{removed}");
    assert!(removed.stderr.contains("hive token revoke"), "{removed}");
    let kept = fs::read_to_string(credentials(&two.laptop)).unwrap();
    assert!(!kept.contains("hive_"), "the token is still there");
    two.end().await;
}

#[tokio::test]
async fn without_a_code_one_is_told_where_to_get_it() {
    let two = Two::start().await;
    let mut line = two.printed().await;
    line.truncate(6);
    let refused = two.run(&line).await;
    shown(&two.laptop, || {
        insta::assert_snapshot!("no_pairing_code", refused);
    });
    let listed = two.keeper(&["hive", "list"]).await;
    assert!(!listed.stdout.contains("gpu1"), "{listed}");
    two.end().await;
}

#[tokio::test]
async fn a_hive_with_another_certificate_gets_no_code_and_is_paired_anew_only_when_told_so() {
    let two = Two::start().await;
    let line = two.printed().await;
    let added = two.run(&line).await;
    assert_eq!(added.end, End::Exit(0), "{added}");
    let mut wrong = two.printed().await;
    wrong[5] = format!("sha256:{}", "0".repeat(64));
    let taken = two.run(&wrong).await;
    assert_eq!(taken.end, End::Exit(6), "{taken}");
    assert!(taken.stderr.contains("--replace"), "{taken}");
    wrong.push("--replace".into());
    let refused = two.run(&wrong).await;
    shown(&two.laptop, || {
        insta::assert_snapshot!("another_certificate", refused);
    });
    // What was refused has changed nothing.
    let listed = two.keeper(&["job", "list"]).await;
    assert_eq!(listed.end, End::Exit(0), "{listed}");
    two.end().await;
}

#[tokio::test]
async fn a_look_at_a_hive_tells_the_pinned_certificate_from_another_and_from_one_of_nobody() {
    let two = Two::start().await;
    let line = two.printed().await;
    let added = two.run(&line).await;
    assert_eq!(added.end, End::Exit(0), "{added}");
    let looked = two.keeper(&["hive", "doctor", "gpu1"]).await;
    assert!(
        looked
            .stdout
            .contains("ok    TLS         certificate matches the pin"),
        "{looked}"
    );
    let pinned = |pin: Option<String>| {
        let mut keeper = two.laptop.keeper(["hive", "doctor", &line[3]]);
        keeper.envs(pin.map(|pin| ("KEEPER_PIN", pin)));
        Running::start(&mut keeper).unwrap().finish()
    };
    let another = format!("sha256:{}", "0".repeat(64));
    let another = pinned(Some(another)).await.unwrap();
    assert_eq!(another.end, End::Exit(4), "{another}");
    assert!(
        another.stdout.contains("fail  TLS         https://"),
        "{another}"
    );
    assert!(another.stdout.contains(&line[5]), "{another}");
    assert!(another.stdout.contains("hive pair"), "{another}");
    let nobodys = pinned(None).await.unwrap();
    assert_eq!(nobodys.end, End::Exit(4), "{nobodys}");
    assert!(
        nobodys
            .stdout
            .contains("fail  TLS         the certificate of"),
        "{nobodys}"
    );
    assert!(nobodys.stdout.contains("--pin"), "{nobodys}");
    two.end().await;
}
