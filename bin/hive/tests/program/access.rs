//! Tokens, pairing and the audit log as the owner of a hive uses them.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::Output,
};

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::serving::{LIMIT, Serving, ended, run};

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

fn stdout(output: Output) -> String {
    assert!(output.status.success(), "{}", text(output.stderr));
    text(output.stdout)
}

/// Asks the hive over TCP and gives the status and the body.
fn ask(hive: &Serving, token: &str, request: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(hive.address()).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    let length = body.len();
    write!(
        stream,
        "{request} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nContent-Type: \
         application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), body.to_owned())
}

fn audit(home: &Path) -> Vec<String> {
    let lines = stdout(run(home, &["audit", "--format", "json"]));
    let lines = lines.lines().map(|line| {
        let entry: Value = serde_json::from_str(line).unwrap();
        let field = |name: &str| entry[name].as_str().unwrap().to_owned();
        [field("who"), field("what"), field("target")].join(" ")
    });
    lines.collect()
}

#[test]
fn a_token_is_made_listed_and_revoked_with_and_without_a_running_hive() {
    let home = TempDir::new().unwrap();
    let alone = stdout(run(
        home.path(),
        &["token", "create", "alone", "--scope", "read"],
    ));
    let hive = Serving::start(home.path(), &["--listen", "127.0.0.1:0"]);
    let made = run(
        home.path(),
        &["token", "create", "laptop", "--expires", "30d"],
    );
    let story = text(made.stderr.clone());
    assert!(story.contains("hive token revoke laptop"), "{story}");
    let laptop = stdout(made);
    assert_eq!(laptop.lines().count(), 1);
    assert!(!story.contains(laptop.trim()));
    for token in [&alone, &laptop] {
        assert_eq!(ask(&hive, token.trim(), "GET /v1/jobs", "").0, 200);
    }
    assert_eq!(ask(&hive, alone.trim(), "GET /v1/audit", "").0, 403);
    let list = stdout(run(home.path(), &["token", "list"]));
    let rows: Vec<Vec<&str>> = list
        .lines()
        .map(|row| row.split_whitespace().collect())
        .collect();
    assert_eq!(
        rows[0],
        ["Name", "Scope", "Created", "Expires", "Last", "used"]
    );
    assert_eq!(rows[1][..2], ["alone", "read"]);
    assert_eq!(
        (rows[1][3], rows[2][0], rows[2][1]),
        ("never", "laptop", "operate")
    );
    assert!(!list.contains("hive_"));

    stdout(run(home.path(), &["token", "revoke", "alone"]));
    assert_eq!(ask(&hive, alone.trim(), "GET /v1/jobs", "").0, 401);
    let (code, told) = ended(home.path(), &["token", "create", "laptop"]);
    assert_eq!(code, 2);
    assert!(
        told.contains("there is a token `laptop` already") && told.contains("Next"),
        "{told}"
    );
    for arguments in [
        &["token", "revoke", "nobody"][..],
        &["token", "revoke", "local"],
        &["token", "revoke", "../x"],
        &["token", "create", "a b"],
        &["token", "create", "a", "--scope", "root"],
        &["token", "create", "a", "--expires", "soon"],
        &["token", "create", "a", "--expires", "40000d"],
    ] {
        let (code, told) = ended(home.path(), arguments);
        assert_eq!(code, 2, "{arguments:?}: {told}");
    }
    hive.signal(Signal::TERM);
    assert_eq!(hive.wait(), 0);
    // The use is written when the hive stops.
    let list: Value = serde_json::from_str(&stdout(run(
        home.path(),
        &["token", "list", "--format", "json"],
    )))
    .unwrap();
    assert!(list["tokens"][0]["last_used_at"].is_string(), "{list}");
    stdout(run(home.path(), &["token", "revoke", "laptop"]));
    assert_eq!(
        audit(home.path()),
        [
            "local token.create alone",
            "local token.create laptop",
            "local token.revoke alone",
            "local token.revoke laptop",
        ]
    );
}

#[test]
fn an_acknowledged_change_is_in_the_audit_log_of_a_hive_that_was_killed() {
    let home = TempDir::new().unwrap();
    let mut hive = Serving::start(home.path(), &["--listen", "127.0.0.1:0"]);
    let token = stdout(run(home.path(), &["token"]));
    let body = r#"{"operation":{"kind":"model_download","model":"a/b"}}"#;
    let mut expected = Vec::new();
    for _ in 0..5 {
        let (status, job) = ask(&hive, token.trim(), "POST /v1/jobs", body);
        assert_eq!(status, 202, "{job}");
        let job: Value = serde_json::from_str(&job).unwrap();
        let id = job["job_id"].as_str().unwrap();
        expected.push(format!("local job.submit {id}"));
    }
    hive.child.kill().unwrap();
    hive.child.wait().unwrap();
    assert_eq!(audit(home.path()), expected);
    let mode = home
        .path()
        .join("state/audit.log")
        .metadata()
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let table = stdout(run(home.path(), &["audit", "--limit", "2"]));
    let what: Vec<&str> = table
        .lines()
        .map(|row| row.split_whitespace().nth(3).unwrap())
        .collect();
    assert_eq!(what, ["What", "job.submit", "job.submit"]);
}

#[test]
fn tokens_that_are_damaged_or_open_to_others_end_the_hive_with_2_and_stay_as_they_are() {
    let home = TempDir::new().unwrap();
    stdout(run(home.path(), &["token", "create", "laptop"]));
    let path = home.path().join("state/tokens.json");
    let whole = fs::read(&path).unwrap();
    for arguments in [
        &["serve"][..],
        &["token", "list"],
        &["token", "create", "a"],
    ] {
        fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        let (code, told) = ended(home.path(), arguments);
        assert_eq!(code, 2, "{told}");
        assert!(told.contains("tokens.json is damaged"), "{told}");
        assert_eq!(fs::read(&path).unwrap(), whole[..whole.len() / 2]);
        fs::write(&path, &whole).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let (code, told) = ended(home.path(), arguments);
        assert_eq!(code, 2, "{told}");
        assert!(
            told.contains("mode 644") && told.contains("chmod 600"),
            "{told}"
        );
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    assert!(!home.path().join("state/hive.sock").exists());
}

#[test]
fn pairing_prints_the_line_for_the_other_machine_and_its_code_works_once() {
    let home = TempDir::new().unwrap();
    let (code, told) = ended(home.path(), &["pair"]);
    assert_eq!(code, 2);
    assert!(
        told.contains("no hive runs") && told.contains("hive serve --listen"),
        "{told}"
    );
    let hive = Serving::start(home.path(), &[]);
    let (code, told) = ended(home.path(), &["pair"]);
    assert_eq!(code, 2);
    assert!(told.contains("listens on no TCP address"), "{told}");
    hive.signal(Signal::TERM);
    hive.wait();

    let hive = Serving::start(home.path(), &["--listen", "127.0.0.1:0"]);
    let output = run(home.path(), &["pair", "--scope", "read"]);
    assert!(text(output.stderr.clone()).contains("within 10 minutes"));
    let line = stdout(output);
    let words: Vec<&str> = line.split_whitespace().collect();
    let url = format!("http://{}", hive.address());
    assert_eq!(
        (&words[..3], words[4], words[5]),
        (&["keeper", "hive", "add"][..], &*url, "--code")
    );
    let body = format!(r#"{{"code":"{}","name":"laptop"}}"#, words[6]);
    let (status, made) = ask(&hive, "", "POST /v1/pair", &body);
    assert_eq!(status, 201);
    assert_eq!(ask(&hive, "", "POST /v1/pair", &body).0, 403);
    let made: Value = serde_json::from_str(&made).unwrap();
    let token = made["token"].as_str().unwrap();
    assert_eq!(ask(&hive, token, "GET /v1/jobs", "").0, 200);
    assert_eq!(
        audit(home.path()),
        ["local pair.code read", "laptop pair.token laptop"]
    );
    let (code, log) = {
        hive.signal(Signal::TERM);
        hive.wait_with_log()
    };
    assert_eq!(code, 0);
    for file in ["state/audit.log", "state/tokens.json", "state/hive.db"] {
        let bytes = fs::read(home.path().join(file)).unwrap();
        let secret = token.as_bytes();
        assert!(
            !bytes.windows(secret.len()).any(|part| part == secret),
            "{file}"
        );
    }
    assert!(
        log.iter()
            .all(|line| !line.contains(token) && !line.contains(words[6]))
    );
}
