//! The program as a person starts it: what it prints, how it ends, whom it lets near its state.
#![expect(
    clippy::unwrap_used,
    reason = "a failed unwrap is a failed test with its line"
)]

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    net::TcpListener,
    os::unix::fs::{PermissionsExt, symlink},
    os::unix::net::UnixStream,
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

fn hive(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hive"));
    command
        .args(arguments)
        .env_clear()
        .env("HOME", home)
        .env("HIVE_STATE_DIR", home.join("state"))
        .env("HF_ENDPOINT", "http://127.0.0.1:9")
        .stdin(Stdio::null());
    command
}

fn run(home: &Path, arguments: &[&str]) -> Output {
    hive(home, arguments).output().unwrap()
}

fn ended(home: &Path, arguments: &[&str]) -> (i32, String) {
    let output = run(home, arguments);
    let text = String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap(), text)
}

/// A hive that serves, killed at the end of its test if it has not ended by itself.
struct Serving(Child);

impl Serving {
    /// Returns when it serves.
    fn start(home: &Path, arguments: &[&str]) -> Self {
        let mut command = hive(home, &[&["serve"], arguments].concat());
        let mut serving = Self(command.stderr(Stdio::piped()).spawn().unwrap());
        let log = BufReader::new(serving.0.stderr.as_mut().unwrap());
        let line = log
            .lines()
            .map(Result::unwrap)
            .find(|line| line.contains("serving"));
        assert!(line.is_some(), "it ended before it served");
        serving
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.0);
        kill_process(pid, signal).unwrap();
    }

    fn wait(mut self) -> i32 {
        // What is left in the pipe must be read, or the hive could wait for us.
        let mut rest = String::new();
        self.0
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut rest)
            .unwrap();
        self.0.wait().unwrap().code().unwrap()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It has ended already unless the test failed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_version_says_that_this_is_ours() {
    let home = TempDir::new().unwrap();
    let output = run(home.path(), &["--version"]);
    let expected = format!("hive {} (model hive)\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
    assert!(output.status.success());
}

#[test]
fn the_token_is_made_once_closed_to_others_and_printed() {
    let home = TempDir::new().unwrap();
    let first = run(home.path(), &["token"]).stdout;
    let text = String::from_utf8(first.clone()).unwrap();
    assert_eq!(text.trim().len(), 64);
    assert_eq!(run(home.path(), &["token"]).stdout, first);
    let path = home.path().join("state/token");
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    let shown = run(home.path(), &["token", "--path"]).stdout;
    assert_eq!(
        String::from_utf8(shown).unwrap(),
        format!("{}\n", path.display())
    );
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let (code, text) = ended(home.path(), &["token"]);
    assert_eq!(code, 2);
    assert!(text.contains("can be read by other users"), "{text}");
}

#[test]
fn bad_configuration_ends_with_2_before_anything_is_made() {
    let home = TempDir::new().unwrap();
    for arguments in [
        &["serve", "--listen", "0.0.0.0:0"][..],
        &["serve", "--listen", "nowhere"],
        &["serve", "--max-jobs", "0"],
        &["serve", "--no-such-flag"],
        &["serve", "--config", "/no/such/file"],
        &[],
    ] {
        let (code, text) = ended(home.path(), arguments);
        assert_eq!(code, 2, "{arguments:?}: {text}");
    }
    assert!(!home.path().join("state").exists());
}

#[test]
fn a_state_folder_that_others_can_write_is_refused() {
    let home = TempDir::new().unwrap();
    let state = home.path().join("state");
    fs::create_dir(&state).unwrap();
    fs::set_permissions(&state, fs::Permissions::from_mode(0o777)).unwrap();
    let (code, text) = ended(home.path(), &["serve"]);
    assert_eq!(code, 2);
    assert!(
        text.contains("mode 777") && text.contains("chmod 700"),
        "{text}"
    );
    fs::remove_dir(&state).unwrap();
    fs::write(&state, "a file").unwrap();
    assert_eq!(ended(home.path(), &["serve"]).0, 2);
}

#[test]
fn a_state_folder_too_deep_for_a_socket_is_refused_with_the_variable() {
    let home = TempDir::new().unwrap();
    let deep = home.path().join("d".repeat(100));
    let output = hive(home.path(), &["serve"])
        .env("HIVE_STATE_DIR", &deep)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("HIVE_STATE_DIR"), "{text}");
}

#[test]
fn a_damaged_database_ends_with_3_and_stays_as_it_is() {
    let home = TempDir::new().unwrap();
    run(home.path(), &["token"]);
    let database = home.path().join("state/hive.db");
    fs::write(&database, vec![0x5a; 8192]).unwrap();
    let (code, text) = ended(home.path(), &["serve"]);
    assert_eq!(code, 3, "{text}");
    assert_eq!(fs::read(&database).unwrap(), vec![0x5a; 8192]);
    assert!(!home.path().join("state/hive.sock").exists());
}

#[test]
fn a_second_hive_ends_with_4_and_names_the_first() {
    let home = TempDir::new().unwrap();
    let first = Serving::start(home.path(), &[]);
    let (code, text) = ended(home.path(), &["serve"]);
    assert_eq!(code, 4);
    assert!(
        text.contains(&format!("process {}", first.0.id())),
        "{text}"
    );
    first.signal(Signal::TERM);
    assert_eq!(first.wait(), 0);
}

#[test]
fn an_address_that_is_taken_ends_with_5() {
    let home = TempDir::new().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, text) = ended(home.path(), &["serve", "--listen", &address]);
    assert_eq!(code, 5);
    assert!(text.contains(&address), "{text}");
}

#[test]
fn a_dead_hives_socket_is_replaced_and_anything_else_in_its_place_is_left() {
    let home = TempDir::new().unwrap();
    let socket = home.path().join("state/hive.sock");
    let mut killed = Serving::start(home.path(), &[]);
    killed.0.kill().unwrap();
    killed.0.wait().unwrap();
    assert!(socket.exists());
    let next = Serving::start(home.path(), &[]);
    UnixStream::connect(&socket).unwrap();
    next.signal(Signal::INT);
    assert_eq!(next.wait(), 0);
    assert!(!socket.exists());
    symlink("/etc/hostname", &socket).unwrap();
    let (code, text) = ended(home.path(), &["serve"]);
    assert_eq!(code, 5);
    assert!(text.contains("is not a socket"), "{text}");
    assert!(socket.is_symlink());
}

#[test]
fn a_hive_with_nothing_to_do_ends_by_itself_when_told_so() {
    let home = TempDir::new().unwrap();
    let hive = Serving::start(home.path(), &["--idle-exit", "100ms"]);
    assert_eq!(hive.wait(), 0);
}

#[test]
fn a_hive_in_a_session_of_its_own_is_not_ended_with_the_callers() {
    let home = TempDir::new().unwrap();
    let hive = Serving::start(home.path(), &["--new-session"]);
    let pid = Pid::from_child(&hive.0);
    assert_eq!(rustix::process::getsid(Some(pid)).unwrap(), pid);
    hive.signal(Signal::HUP);
    assert_eq!(hive.wait(), 0);
}

#[test]
fn the_log_is_json_where_asked_and_never_holds_the_token() {
    let home = TempDir::new().unwrap();
    let token = run(home.path(), &["token"]).stdout;
    let token = String::from_utf8(token).unwrap();
    let output = hive(home.path(), &["serve", "--idle-exit", "1ms"])
        .env("HIVE_LOG_FORMAT", "json")
        .env("HIVE_LOG", "trace")
        .env("HF_TOKEN", "hf_canary")
        .output()
        .unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(log.lines().all(|line| line.starts_with('{')), "{log}");
    let serving = log.lines().find(|line| line.contains("serving")).unwrap();
    for part in [
        "state.path",
        "store.path",
        "hub.endpoint",
        "HF_TOKEN",
        env!("CARGO_PKG_VERSION"),
    ] {
        assert!(serving.contains(part), "{serving}");
    }
    assert!(!log.contains("canary") && !log.contains(token.trim()));
}
