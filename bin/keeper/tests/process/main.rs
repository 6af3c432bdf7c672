//! The keeper process against a hive that the test plays: its signals, its exit and what reaches its terminal.

#![expect(
    clippy::unwrap_used,
    reason = "a failed unwrap is a failed test with its line"
)]

mod doctor;
mod hostile_hive;
mod keeper;
mod played_hive;

use std::{
    io::{self, Write},
    os::unix::process::ExitStatusExt,
    process::Stdio,
};

use hive_api::{Job, JobState};
use rustix::{io::ioctl_fionbio, process::Signal};
use serde_json::json;

use crate::{
    hostile_hive::HostileHive,
    keeper::Keeper,
    played_hive::{PlayedHive, job},
};

fn ended(state: JobState) -> Job {
    Job {
        state: state.into(),
        ..job()
    }
}

#[tokio::test]
async fn ctrl_c_cancels_and_ends_by_the_signal_after_the_last_event() {
    let hive = PlayedHive::start().await;
    hive.accept();
    let mut keeper = Keeper::start(&hive, &["model", "download", "a/b"]);
    keeper.says("job 9f3c41 accepted").await;
    hive.asked("GET /v1/jobs/").await;
    keeper.signal(Signal::INT);
    keeper
        .says(&format!(
            "Cancelling 9f3c41 on {}, press Ctrl+C again",
            hive.name()
        ))
        .await;
    hive.asked("DELETE /v1/jobs/").await;
    hive.end(ended(JobState::Cancelled));
    keeper.says("nothing of it runs any more").await;
    assert_eq!(keeper.ended().await.signal(), Some(2));
}

/// A pipe into which nothing more fits, and the end that reads it.
fn full_pipe() -> (io::PipeReader, Stdio) {
    let (reader, mut writer) = io::pipe().unwrap();
    ioctl_fionbio(&writer, true).unwrap();
    while writer.write(&[b'\n'; 4096]).is_ok() {}
    ioctl_fionbio(&writer, false).unwrap();
    (reader, writer.into())
}

#[tokio::test]
async fn ctrl_c_cancels_while_nobody_reads_what_keeper_says() {
    let hive = PlayedHive::start().await;
    hive.accept();
    let (_reader, stdout) = full_pipe();
    let arguments = ["--format", "json", "model", "download", "a/b"];
    let keeper = Keeper::writing_to(stdout, hive.address(), &arguments, &[]);
    hive.asked("GET /v1/jobs/").await;
    keeper.signal(Signal::INT);
    hive.asked("DELETE /v1/jobs/").await;
    hive.end(ended(JobState::Cancelled));
    assert_eq!(keeper.ended().await.signal(), Some(2));
}

#[tokio::test]
async fn ctrl_c_during_the_submission_waits_for_the_id_and_then_cancels() {
    let hive = PlayedHive::start().await;
    let mut keeper = Keeper::start(&hive, &["model", "download", "a/b"]);
    hive.asked("POST /v1/jobs").await;
    keeper.signal(Signal::INT);
    keeper
        .says(&format!(
            "Cancelling on {} as soon as it has answered",
            hive.name()
        ))
        .await;
    hive.accept();
    hive.asked("DELETE /v1/jobs/").await;
    hive.end(ended(JobState::Cancelled));
    assert_eq!(keeper.ended().await.signal(), Some(2));
}

#[tokio::test]
async fn a_second_ctrl_c_leaves_at_once_and_says_how_to_cancel() {
    let hive = PlayedHive::start().await;
    hive.accept();
    let mut keeper = Keeper::start(&hive, &["model", "download", "a/b"]);
    keeper.says("accepted").await;
    keeper.signal(Signal::INT);
    hive.asked("DELETE /v1/jobs/").await;
    keeper.signal(Signal::INT);
    keeper
        .says(&format!(
            "Left before {} answered: job 9f3c41 may still run",
            hive.name()
        ))
        .await;
    keeper.says("job cancel 9f3c41").await;
    assert_eq!(keeper.ended().await.signal(), Some(2));
}

#[tokio::test]
async fn a_cancel_that_came_too_late_prints_the_path_and_succeeds() {
    let hive = PlayedHive::start().await;
    hive.accept();
    let mut keeper = Keeper::start(&hive, &["model", "download", "a/b"]);
    keeper.says("accepted").await;
    keeper.signal(Signal::INT);
    hive.asked("DELETE /v1/jobs/").await;
    hive.end(played_hive::succeeded("/hub/b.gguf"));
    keeper.says("Too late to cancel").await;
    assert_eq!(keeper.stdout().await, "/hub/b.gguf\n");
    assert_eq!(keeper.ended().await.code(), Some(0));
}

#[tokio::test]
async fn a_submission_whose_answer_is_cut_is_repeated_under_its_key() {
    for command in [&["pull", "a/b"][..], &["pull", "a/b", "--detach"]] {
        let hive = PlayedHive::start().await;
        hive.accept();
        hive.cut_answers(2);
        hive.end(played_hive::succeeded("/hub/b.gguf"));
        let keeper = Keeper::start(&hive, command);
        assert_eq!(keeper.ended().await.code(), Some(0), "{command:?}");
        let keys = hive.keys();
        assert_eq!(keys.len(), 3, "{command:?}");
        assert!(!keys[0].is_empty() && keys.iter().all(|key| *key == keys[0]));
    }
}

#[tokio::test]
async fn each_submission_has_a_key_of_its_own() {
    let hive = PlayedHive::start().await;
    hive.accept();
    hive.end(played_hive::succeeded("/hub/b.gguf"));
    let keeper = Keeper::start(&hive, &["pull", "a/b", "a/b"]);
    assert_eq!(keeper.ended().await.code(), Some(0));
    let keys = hive.keys();
    assert_eq!(keys.len(), 2);
    assert_ne!(keys[0], keys[1]);
}

#[tokio::test]
async fn sigterm_leaves_the_job_running_unless_it_is_to_be_cancelled() {
    let hive = PlayedHive::start().await;
    hive.accept();
    let mut keeper = Keeper::start(&hive, &["model", "download", "a/b"]);
    keeper.says("accepted").await;
    keeper.signal(Signal::TERM);
    keeper.says("job 9f3c41 goes on").await;
    assert_eq!(keeper.ended().await.signal(), Some(15));
    assert!(!hive.was_asked("DELETE "));

    let mut keeper = Keeper::start(&hive, &["pull", "a/b", "--on-term", "cancel"]);
    keeper.says("accepted").await;
    keeper.signal(Signal::TERM);
    hive.asked("DELETE /v1/jobs/").await;
    hive.end(ended(JobState::Cancelled));
    assert_eq!(keeper.ended().await.signal(), Some(15));
}

#[tokio::test]
async fn one_who_looks_never_cancels() {
    let hive = PlayedHive::start().await;
    let id = job().job_id.to_string();
    let mut keeper = Keeper::start(&hive, &["job", "watch", &id]);
    keeper.says("job 9f3c41").await;
    keeper.signal(Signal::INT);
    keeper.says("job 9f3c41 goes on").await;
    assert_eq!(keeper.ended().await.signal(), Some(2));
    assert!(!hive.was_asked("DELETE "));
}

#[tokio::test]
async fn control_characters_of_a_hostile_hive_reach_neither_stream() {
    let hive = PlayedHive::start().await;
    hive.accept();
    let keeper = Keeper::start(&hive, &["model", "download", "a/b", "--color", "never"]);
    hive.end(played_hive::succeeded(
        "/hub/\u{1b}]0;owned\u{7}\u{9b}2J.gguf",
    ));
    let (stdout, stderr) = keeper.output().await;
    let is_harmful = |text: &str| text.chars().any(|c| c.is_control() && c != '\n');
    assert!(!is_harmful(&stdout), "{stdout:?}");
    assert!(!is_harmful(&stderr), "{stderr:?}");
    assert!(stdout.starts_with("/hub/\u{fffd}]0;owned"), "{stdout:?}");
}

#[tokio::test]
async fn a_job_of_another_is_acted_on_only_when_told_so() {
    let hive = PlayedHive::start().await;
    let id = job().job_id.to_string();
    for command in [
        &["job", "cancel", &id][..],
        &["job", "pause", &id],
        &["job", "resume", &id],
        &["job", "limit", &id, "20MB"],
    ] {
        let (_, said) = Keeper::start(&hive, command).output().await;
        assert!(said.contains("9f3c41 was submitted by local"), "{said}");
        assert!(said.contains("add --force"), "{said}");
    }
    for change in ["DELETE", "POST", "PATCH"] {
        assert!(!hive.was_asked(change), "{change}");
    }
    let keeper = Keeper::start(&hive, &["job", "cancel", &id, "--force"]);
    hive.asked("DELETE /v1/jobs/").await;
    keeper.ended().await;
}

/// Every command that shows what a hive said, ended.
async fn shown_of(hive: &HostileHive) -> Vec<(String, String)> {
    let mut shown = Vec::new();
    for command in [
        &["model", "download", "a/b"][..],
        &["model", "plan", "a/b"],
        &["job", "list"],
        &["job", "show", ID],
        &["job", "watch", ID],
        &["job", "logs", ID],
        &["job", "cancel", ID, "--force"],
        &["hive", "status"],
        &["hive", "whoami"],
    ] {
        for format in ["human", "json"] {
            let arguments = [command, &["--color", "never", "--format", format]].concat();
            let keeper = Keeper::at(&hive.address, &arguments);
            shown.push(keeper.output().await);
        }
    }
    shown
}

const ID: &str = "01920f3e-7a7b-7c3d-9a1e-5b2d8e9f3c41";

#[tokio::test]
async fn t20_no_field_of_a_hostile_hive_reaches_a_terminal_as_more_than_text() {
    let hive = HostileHive::that_writes("\u{1b}]0;owned\u{7}\u{9b}2J\r\n\u{202e}\u{0}").await;
    let mut poisoned = 0;
    for (stdout, stderr) in shown_of(&hive).await {
        for text in [&stdout, &stderr] {
            let harmful = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
            assert!(!text.contains(harmful), "{text:?}");
            assert!(!text.contains("panicked"), "{text}");
            poisoned += usize::from(text.contains("owned"));
        }
    }
    assert!(poisoned > 8, "what was written is shown {poisoned} times");
}

#[tokio::test]
async fn numbers_that_cannot_be_end_no_keeper_by_a_panic() {
    for number in [
        json!(u64::MAX),
        json!(-1),
        json!(1e308),
        json!(0),
        json!("many"),
    ] {
        let hive = HostileHive::that_counts(number.clone()).await;
        for (_, stderr) in shown_of(&hive).await {
            assert!(!stderr.contains("panicked"), "{number}: {stderr}");
        }
    }
}

#[tokio::test]
async fn a_job_that_logs_for_ever_is_left_by_ctrl_c() {
    let hive = HostileHive::that_never_ends().await;
    let mut keeper = Keeper::at(&hive.address, &["model", "download", "a/b"]);
    keeper.says("accepted").await;
    keeper.signal(Signal::INT);
    keeper.says("may still run").await;
    assert_eq!(keeper.ended().await.signal(), Some(2));
}
