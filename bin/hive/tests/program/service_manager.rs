//! What the service manager hears of a hive; the tests are the service manager.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::TcpListener,
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixDatagram, UnixStream},
    },
    path::Path,
    process::Stdio,
};

use rustix::{io::ioctl_fionbio, process::Signal};
use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use tempfile::TempDir;

use crate::serving::{LIMIT, Serving, hive};

const SILENT: &str = "STATUS=The jobs or their database do not answer";

struct Manager(UnixDatagram);

impl Manager {
    fn at(path: &Path) -> Self {
        Self::of(UnixDatagram::bind(path).unwrap())
    }

    fn of(socket: UnixDatagram) -> Self {
        socket.set_read_timeout(Some(LIMIT)).unwrap();
        Self(socket)
    }

    fn next(&self) -> String {
        self.receive().unwrap()
    }

    fn next_that_begins(&self, with: &str) -> String {
        loop {
            let message = self.next();
            if message.starts_with(with) {
                return message;
            }
        }
    }

    fn has_heard_nothing_more(&self) -> bool {
        self.0.set_nonblocking(true).unwrap();
        let nothing = self
            .receive()
            .is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
        self.0.set_nonblocking(false).unwrap();
        nothing
    }

    fn receive(&self) -> io::Result<String> {
        let mut buffer = [0; 4096];
        let length = self.0.recv(&mut buffer)?;
        Ok(String::from_utf8(buffer[..length].to_vec()).unwrap())
    }
}

fn serving(home: &Path, variables: &[(&str, &str)]) -> Serving {
    let mut command = hive(home, &["serve", "--listen", "127.0.0.1:0"]);
    Serving::of(command.envs(variables.iter().copied()))
}

fn assert_ready(socket: &Path) {
    let mut asked = UnixStream::connect(socket).unwrap();
    asked.set_read_timeout(Some(LIMIT)).unwrap();
    asked
        .write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    asked.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[test]
fn it_is_ready_when_it_answers_and_says_that_it_stops() {
    let home = TempDir::new().unwrap();
    let path = home.path().join("notify");
    let manager = Manager::at(&path);
    let mut command = hive(home.path(), &["serve"]);
    let mut child = command
        .env("NOTIFY_SOCKET", &path)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let ready = manager.next();
    let socket = home.path().join("state/hive.sock");
    assert_eq!(
        ready,
        format!(
            "READY=1\nSTATUS=Serving on {}: 0 running, 0 queued, 0 paused",
            socket.display()
        )
    );
    assert_ready(&socket);

    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, Signal::TERM).unwrap();
    manager.next_that_begins("STOPPING=1\n");
    assert!(child.wait().unwrap().success());
    assert!(manager.has_heard_nothing_more());
}

#[test]
fn a_log_that_nobody_reads_holds_up_neither_an_answer_nor_the_end() {
    let home = TempDir::new().unwrap();
    let path = home.path().join("notify");
    let manager = Manager::at(&path);
    // As full as that of a terminal that stands still.
    let (_unread, mut log) = io::pipe().unwrap();
    ioctl_fionbio(&log, true).unwrap();
    while log.write(&[b'\n'; 4096]).is_ok() {}
    ioctl_fionbio(&log, false).unwrap();
    let mut command = hive(home.path(), &["serve"]);
    let command = command.env("NOTIFY_SOCKET", &path).env("HIVE_LOG", "trace");
    let mut child = command.stderr(log).spawn().unwrap();
    manager.next_that_begins("READY=1\n");
    assert_ready(&home.path().join("state/hive.sock"));

    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, Signal::TERM).unwrap();
    assert!(child.wait().unwrap().success());
}

#[test]
fn one_that_cannot_serve_is_never_ready() {
    let home = TempDir::new().unwrap();
    let path = home.path().join("notify");
    let manager = Manager::at(&path);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut command = hive(home.path(), &["serve", "--listen", &address]);
    let ended = command.env("NOTIFY_SOCKET", &path).output().unwrap();
    assert_eq!(ended.status.code(), Some(5));
    assert!(manager.has_heard_nothing_more());
}

#[tokio::test]
async fn the_watchdog_is_fed_only_while_the_database_answers() {
    let home = TempDir::new().unwrap();
    let path = home.path().join("notify");
    let manager = Manager::at(&path);
    let variables = [
        ("NOTIFY_SOCKET", path.to_str().unwrap()),
        ("WATCHDOG_USEC", "2000000"),
    ];
    let hive = serving(home.path(), &variables);
    let ready = manager.next();
    assert!(
        ready.contains(&format!("hive.sock, {}: ", hive.address())),
        "{ready}"
    );
    manager.next_that_begins("WATCHDOG=1\nSTATUS=Serving on ");

    let database = SqliteConnectOptions::new().filename(home.path().join("state/hive.db"));
    let mut outside = SqliteConnection::connect_with(&database).await.unwrap();
    let held = outside.begin_with("BEGIN IMMEDIATE").await.unwrap();
    manager.next_that_begins(SILENT);
    assert!(manager.has_heard_nothing_more());
    held.rollback().await.unwrap();
    manager.next_that_begins("WATCHDOG=1\n");

    hive.signal(Signal::TERM);
    manager.next_that_begins("STOPPING=1\n");
    assert_eq!(hive.wait(), 0);
    assert!(manager.has_heard_nothing_more());
}

#[test]
fn the_watchdog_has_the_pace_that_was_asked_for_and_only_of_this_process() {
    let home = TempDir::new().unwrap();
    let path = home.path().join("notify");
    let manager = Manager::at(&path);
    let socket = ("NOTIFY_SOCKET", path.to_str().unwrap());

    let quick = serving(home.path(), &[socket, ("WATCHDOG_USEC", "20000")]);
    for _ in 0..5 {
        manager.next_that_begins("WATCHDOG=1\n");
    }
    drop(quick);
    while !manager.has_heard_nothing_more() {}

    let slow = serving(home.path(), &[socket, ("WATCHDOG_USEC", "3600000000")]);
    manager.next_that_begins("READY=1\n");
    manager.next_that_begins("WATCHDOG=1\n");
    slow.signal(Signal::TERM);
    assert!(manager.next().starts_with("STOPPING=1\n"));
    assert_eq!(slow.wait(), 0);

    let of_another = [("WATCHDOG_USEC", "20000"), ("WATCHDOG_PID", "1")];
    let other = serving(home.path(), &[socket, of_another[0], of_another[1]]);
    manager.next_that_begins("READY=1\n");
    assert!(manager.next().starts_with("STATUS=Serving on "));
    other.signal(Signal::TERM);
    assert!(manager.next().starts_with("STOPPING=1\n"));
    assert_eq!(other.wait(), 0);
}

#[test]
fn a_manager_in_the_abstract_namespace_hears_it_too_and_one_that_is_gone_changes_nothing() {
    let home = TempDir::new().unwrap();
    let name = format!("hive-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let manager = Manager::of(UnixDatagram::bind_addr(&address).unwrap());
    let variable = format!("@{name}");
    let hive = serving(home.path(), &[("NOTIFY_SOCKET", &variable)]);
    manager.next_that_begins("READY=1\n");
    drop(manager);
    hive.signal(Signal::TERM);
    assert_eq!(hive.wait(), 0);
    let hive = serving(home.path(), &[("NOTIFY_SOCKET", &variable)]);
    hive.signal(Signal::TERM);
    assert_eq!(hive.wait(), 0);
}
