//! What a person meets when ssh does not lead to a hive. The real ssh is met in `cargo xtask ssh`.

use std::{fs, os::unix::fs::PermissionsExt, time::Duration};

use e2e::{End, Machine, Running};
use rustix::process::Signal;
use tokio::{
    fs::File,
    io::{AsyncBufReadExt, BufReader},
    process::Command,
    time::timeout,
};

const LIMIT: Duration = Duration::from_secs(20);

/// A keeper whose `ssh` is this shell script.
fn keeper(machine: &Machine, script: &str, arguments: &[&str]) -> Command {
    let bin = machine.home().join("bin");
    fs::create_dir_all(&bin).unwrap();
    let ssh = bin.join("ssh");
    fs::write(&ssh, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&ssh, fs::Permissions::from_mode(0o755)).unwrap();
    let run = machine.home().join("run");
    fs::create_dir_all(&run).unwrap();
    let mut command = machine.keeper(arguments);
    command
        .env("PATH", format!("{}:/usr/bin:/bin", bin.display()))
        .env("XDG_RUNTIME_DIR", run);
    command
}

const ADD: [&str; 4] = ["hive", "add", "gpu1", "ssh://gpu1"];

#[tokio::test]
async fn a_hive_that_lets_nobody_in_is_not_added_unless_told() {
    let machine = Machine::new("http://127.0.0.1:9").unwrap();
    let script = "echo 'alice@gpu1: Permission denied (publickey).' >&2; exit 255";
    let finished = Running::start(&mut keeper(&machine, script, &ADD)).unwrap();
    let finished = finished.finish().await.unwrap();
    assert_eq!(finished.end, End::Exit(4), "{finished}");
    assert!(finished.stderr.contains("gpu1 was not added"), "{finished}");
    let listed = machine.run_keeper(&["hive", "list"]).await.unwrap();
    assert!(!listed.stdout.contains("gpu1"), "{listed}");

    let unchecked = ["hive", "add", "gpu1", "ssh://gpu1", "--no-check"];
    let added = machine.run_keeper(&unchecked).await.unwrap();
    assert_eq!(added.end, End::Exit(0), "{added}");
    let listed = machine.run_keeper(&["hive", "list"]).await.unwrap();
    assert!(listed.stdout.contains("ssh://gpu1"), "{listed}");
    // The machine stops its own hive at the end.
    machine.run_keeper(&["hive", "use", "local"]).await.unwrap();
}

#[tokio::test]
async fn a_look_at_a_hive_behind_ssh_names_what_ssh_says_and_a_hive_that_does_not_run() {
    let machine = Machine::new("http://127.0.0.1:9").unwrap();
    let look = async |script: &str| {
        let look = ["hive", "doctor", "ssh://gpu1"];
        let running = Running::start(&mut keeper(&machine, script, &look)).unwrap();
        running.finish().await.unwrap()
    };
    let denied = look("echo 'alice@gpu1: Permission denied (publickey).' >&2; exit 255").await;
    assert_eq!(denied.end, End::Exit(4), "{denied}");
    assert!(denied.stdout.starts_with("fail  ssh "), "{denied}");
    assert!(denied.stdout.contains("Permission denied"), "{denied}");
    assert!(denied.stdout.contains("try it alone: ssh gpu1"), "{denied}");

    let stopped = look(
        "echo 'hive 0.1.0 (model hive)'; echo '{\"socket_path\":\"/s/hive.sock\",\"state\":\"stopped\",\"answers\":false}'",
    )
    .await;
    assert_eq!(stopped.end, End::Exit(3), "{stopped}");
    assert!(
        stopped
            .stdout
            .starts_with("fail  Hive        no hive runs on gpu1"),
        "{stopped}"
    );
    let start = "keeper --hive ssh://gpu1 hive start";
    assert!(stopped.stdout.contains(start), "{stopped}");
}

#[tokio::test]
async fn ctrl_c_while_connecting_ends_at_once_and_leaves_no_ssh() {
    let machine = Machine::new("http://127.0.0.1:9").unwrap();
    let pipe = machine.home().join("connecting");
    // The pipe is closed when nothing of this ssh runs any more.
    let script = format!(
        "exec 3> {}; echo connecting >&3; exec sleep 600",
        pipe.display()
    );
    rustix::fs::mkfifoat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::Mode::from_raw_mode(0o600),
    )
    .unwrap();
    let running = Running::start(&mut keeper(&machine, &script, &ADD)).unwrap();
    let mut connecting = BufReader::new(File::open(&pipe).await.unwrap());
    let mut line = String::new();
    connecting.read_line(&mut line).await.unwrap();
    running.signal_group(Signal::INT).unwrap();
    let finished = running.finish().await.unwrap();
    assert_eq!(finished.end, End::Signal(2), "{finished}");
    let rest = timeout(LIMIT, connecting.read_line(&mut line)).await;
    assert_eq!(rest.expect("ssh runs on").unwrap(), 0);
}
