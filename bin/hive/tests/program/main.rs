//! The program as a person starts it: what it prints, how it ends, whom it lets near its state.
#![expect(
    clippy::unwrap_used,
    reason = "a failed unwrap is a failed test with its line"
)]

mod access;
mod description;
mod doctor;
mod log;
mod open_files;
mod service;
mod service_manager;
mod serving;
mod state_files;

use std::{
    fs,
    net::TcpListener,
    os::unix::{
        fs::{PermissionsExt, symlink},
        net::UnixStream,
    },
    path::Path,
};

use rustix::process::{Pid, Signal};
use serving::{Serving, ended, hive, run};
use tempfile::TempDir;

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
fn an_endpoint_that_is_no_hubs_is_refused_without_showing_its_secrets() {
    let home = TempDir::new().unwrap();
    for endpoint in [
        "https://hub.example/?token=canary",
        "https://hub.example/#canary",
        "https://hub.example?",
        "https://alice:canary@hub.example/?a",
        "ftp://alice:canary@hub.example",
        "https//alice:can?ary@hub.example",
    ] {
        let output = hive(home.path(), &["serve"])
            .env("HF_ENDPOINT", endpoint)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{endpoint}: {text}");
        assert!(text.contains("`HF_ENDPOINT`"), "{text}");
        assert!(!text.contains("can"), "{text}");
    }
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
    assert!(text.contains("Next   mv "), "{text}");
    assert_eq!(fs::read(&database).unwrap(), vec![0x5a; 8192]);
    assert!(!home.path().join("state/hive.sock").exists());
}

#[test]
fn d25_a_second_hive_ends_with_4_and_names_the_first() {
    let home = TempDir::new().unwrap();
    let first = Serving::start(home.path(), &[]);
    let (code, text) = ended(home.path(), &["serve"]);
    assert_eq!(code, 4);
    assert!(
        text.contains(&format!("process {}", first.child.id())),
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
    killed.child.kill().unwrap();
    killed.child.wait().unwrap();
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
fn a_hive_in_a_session_of_its_own_is_not_ended_with_the_callers_nor_by_its_hang_up() {
    let home = TempDir::new().unwrap();
    let hive = Serving::start(home.path(), &["--new-session"]);
    let pid = Pid::from_child(&hive.child);
    assert_eq!(rustix::process::getsid(Some(pid)).unwrap(), pid);
    hive.signal(Signal::HUP);
    hive.signal(Signal::TERM);
    let (code, log) = hive.wait_with_log();
    assert_eq!(code, 0);
    assert!(log.iter().all(|line| !line.contains("SIGHUP")), "{log:?}");
}
