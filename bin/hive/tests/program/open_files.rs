//! A hive that may open few files.

use std::{
    io::{Read, Write},
    net::TcpStream,
    os::unix::net::UnixStream,
};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::serving::{LIMIT, Serving, hive_with_open_files};

#[test]
fn a_flood_of_half_open_connections_leaves_files_for_the_socket_and_the_work() {
    let home = TempDir::new().unwrap();
    let mut command = hive_with_open_files(home.path(), 128, "--listen 127.0.0.1:0");
    let hive = Serving::of(&mut command);
    let warned = |line: &String| line.contains("WARN") && line.contains("limit of open files");
    assert!(
        hive.first_lines.iter().any(warned),
        "{:#?}",
        hive.first_lines
    );
    let flood: Vec<_> = (0..200)
        .map(|_| {
            let mut stream = TcpStream::connect(hive.address()).unwrap();
            stream.write_all(b"GET / HTTP/1.1\r\n").unwrap();
            stream
        })
        .collect();
    let answers: Vec<_> = (0..8)
        .map(|_| {
            let mut stream = UnixStream::connect(home.path().join("state/hive.sock")).unwrap();
            stream.set_read_timeout(Some(LIMIT / 4)).unwrap();
            stream
                .write_all(b"GET /v1/models HTTP/1.1\r\nHost: hive\r\n\r\n")
                .unwrap();
            let mut status = [0; 12];
            stream.read_exact(&mut status).unwrap();
            assert_eq!(&status, b"HTTP/1.1 200");
            stream
        })
        .collect();
    hive.signal(Signal::TERM);
    let (code, log) = hive.wait_with_log();
    assert_eq!(code, 0);
    assert!(
        !log.iter().any(|line| line.contains("cannot take")),
        "{log:#?}"
    );
    drop((flood, answers));
}
