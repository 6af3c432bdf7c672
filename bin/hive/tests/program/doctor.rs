//! `hive doctor` on the machine itself: beside a running hive, and where none runs.

use std::{fs, process::Command};

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::serving::{Serving, hive};

/// The exit code and the lines on stdout.
fn doctor(command: &mut Command) -> (i32, Vec<String>) {
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let code = output.status.code().unwrap();
    (code, text.lines().map(str::to_owned).collect())
}

fn line<'a>(lines: &'a [String], start: &str) -> &'a str {
    let found = lines.iter().find(|line| line.starts_with(start));
    found.unwrap_or_else(|| panic!("no `{start}`: {lines:#?}"))
}

#[test]
fn without_a_hive_the_machine_is_looked_at_and_a_failure_ends_with_1() {
    let home = TempDir::new().unwrap();
    let (code, lines) = doctor(&mut hive(home.path(), &["doctor"]));
    assert_eq!(code, 1, "{lines:#?}");
    line(&lines, "ok    Hive        none runs here");
    // Nobody listens where `HF_ENDPOINT` leads.
    line(&lines, "fail  Hub ");
    line(&lines, "skip  Hub rate    not measured");
    line(&lines, "ok    sha256");
    assert!(lines.last().unwrap().starts_with("1 failed"), "{lines:#?}");
    assert!(
        lines.iter().all(|line| line.chars().count() <= 120),
        "{lines:#?}"
    );
    assert!(!home.path().join("state").exists());
}

#[test]
fn a_running_hive_is_asked_and_json_has_a_line_for_each_check() {
    let home = TempDir::new().unwrap();
    let serving = Serving::start(home.path(), &[]);
    let mut command = hive(home.path(), &["doctor", "--format", "json"]);
    let (code, lines) = doctor(command.env("HF_HUB_OFFLINE", "1"));
    assert_eq!(code, 1);
    let lines: Vec<Value> = lines
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(lines[0]["found"].as_str().unwrap().starts_with("runs, "));
    // The environment of the hive counts, not that of the command.
    let hub = lines.iter().find(|line| line["check"] == "hub").unwrap();
    assert_eq!(hub["level"], "fail");
    let summary = &lines.last().unwrap()["summary"];
    assert_eq!(summary["failed"], 1);
    assert!(summary["rates"]["sha256_bytes_per_second"].is_u64());
    serving.signal(Signal::TERM);
    assert_eq!(serving.wait(), 0);
}

#[test]
fn few_open_files_and_settings_that_hive_serve_refuses_are_found() {
    let home = TempDir::new().unwrap();
    let program = env!("CARGO_BIN_EXE_hive");
    let mut command = hive(home.path(), &[]);
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", &format!("ulimit -n 256; exec '{program}' doctor")]);
    shell.env_clear().envs(
        command
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    let (_, lines) = doctor(&mut shell);
    assert_eq!(
        line(&lines, "warn  Open files"),
        "warn  Open files  limit 256, wanted 65536"
    );
    command = hive(home.path(), &["doctor"]);
    let (code, lines) = doctor(command.env("HIVE_LISTEN", "0.0.0.0"));
    assert_eq!(code, 1);
    line(&lines, "fail  Settings    `HIVE_LISTEN`");
    command = hive(home.path(), &["doctor"]);
    let (code, lines) = doctor(command.env("SSL_CERT_FILE", home.path().join("none.pem")));
    assert_eq!(code, 1);
    line(&lines, "fail  Settings    cannot read the certificates");
    assert!(lines.concat().contains("in SSL_CERT_FILE"), "{lines:#?}");
    fs::remove_dir_all(home.path()).unwrap();
}
