//! The story as a log and as JSON, event by event.

mod fleet;

use hive_api::{
    JobResult, JobState, LogEvent, ModelDownloaded, Open, Problem, ProblemCode, Snapshot,
    StateEvent,
};
use hive_client::{Endpoint, HiveClient};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::*;
use crate::{
    commands::tests::job,
    hives::Hive,
    ui::{Audience, captured, tests::Captured},
};

fn id(number: u128) -> JobId {
    JobId::new(Uuid::from_u128(number))
}

fn story(audience: Audience, jobs: usize) -> (Story, Captured) {
    let (printer, captured) = captured(audience, false);
    let endpoint = Endpoint::UnixSocket("/nowhere".into());
    let hive = Hive {
        name: "gpu1".into(),
        flag: Some("gpu1".into()),
        is_known: true,
        is_local: false,
        tunnel: None,
        client: HiveClient::connect(&endpoint).unwrap(),
    };
    let shown = (0..jobs)
        .map(|_| Shown::new(&hive, "download a/b", Instant::now()))
        .collect();
    (Story::new(printer, false, shown, "hint"), captured)
}

fn tell(story: &mut Story, index: usize, event: &Event) {
    story.event(index, 7, event, None, Instant::now());
}

fn succeeded(number: u128) -> Job {
    let mut job = job(id(number));
    job.state = JobState::Succeeded.into();
    job.started_at = Some(job.created_at);
    job.finished_at = Some(job.created_at + SignedDuration::from_mins(27));
    job.result = Some(Open::Known(JobResult::ModelDownload(ModelDownloaded {
        repo: "a/b".into(),
        commit: "0".repeat(40),
        snapshot_path: "/hub/b".into(),
        path: format!("/hub/b/{number}.gguf"),
        files: 1,
        bytes_total: 142_300_000_000,
        bytes_received: 142_300_000_000,
    })));
    job
}

fn finish(mut story: Story) {
    use crate::watch::course::{Course, Decision, End, Input};
    let on_term = crate::args::OnTerm::Leave;
    let mut course = Course::new(crate::watch::Role::Submitter { on_term }, 1);
    let Decision::Finish(outcome) = course.handle(Input::Ended(0, End::Succeeded)) else {
        panic!("the only job has ended");
    };
    story.finished(outcome);
}

#[test]
fn a_log_has_the_hive_on_every_line_and_stdout_the_path_alone() {
    let (mut story, captured) = story(Audience::Person, 1);
    story.accepted(0, job(id(0x9f_3c41)), true);
    let retry = LogEvent {
        sequence: 3,
        at: Timestamp::from_second(1_800_000_000).unwrap(),
        level: LogLevel::Warning.into(),
        message: "file 3 of 3: no byte for 30 s, attempt 2 of 8 in 1.4 s, 6.9 GB kept".into(),
        code: Some("stalled".into()),
        try_number: Some(2),
        plan: None,
    };
    tell(&mut story, 0, &Event::Log(Box::new(retry)));
    for _ in 0..2 {
        story.lost(0, false, Instant::now());
    }
    story.reconnected(0, Duration::from_secs(14));
    let snapshot = Snapshot {
        job: job(id(0x9f_3c41)),
        resumed: None,
    };
    tell(&mut story, 0, &Event::Snapshot(Box::new(snapshot)));
    tell(
        &mut story,
        0,
        &Event::Succeeded(Box::new(succeeded(0x9f_3c41))),
    );
    finish(story);
    assert_eq!(
        captured.err.text().lines().collect::<Vec<_>>(),
        [
            "gpu1: job 9f3c41 accepted",
            "gpu1: file 3 of 3: no byte for 30 s, attempt 2 of 8 in 1.4 s, 6.9 GB kept",
            "gpu1: connection lost, the job goes on, trying again",
            "gpu1: connected again after 14 s, no event missed",
            "gpu1: done, 142.3 GB in 27 min, every sha256 checked",
        ]
    );
    assert_eq!(captured.out.text(), "/hub/b/10435649.gguf\n");
}

#[test]
fn several_jobs_are_told_apart_and_their_paths_come_in_the_order_they_were_named() {
    let (mut story, captured) = story(Audience::Person, 2);
    story.accepted(0, job(id(0xa)), true);
    story.accepted(1, job(id(0xb)), true);
    tell(&mut story, 1, &Event::Succeeded(Box::new(succeeded(0xb))));
    tell(&mut story, 0, &Event::Succeeded(Box::new(succeeded(0xa))));
    finish(story);
    let told = captured.err.text();
    assert!(told.contains("gpu1 00000b: done, 142.3 GB"), "{told}");
    assert_eq!(captured.out.text(), "/hub/b/10.gguf\n/hub/b/11.gguf\n");
}

#[test]
fn a_failure_says_why_what_next_and_the_code_with_the_hive_in_its_commands() {
    let (mut story, captured) = story(Audience::QuietPerson, 1);
    let mut failed = job(id(0x2b_8e07));
    failed.state = JobState::Failed.into();
    failed.error = Some(
        Problem::new(ProblemCode::UpstreamAuth, "meta-llama/Llama is gated")
            .with_reason("account alice has no access yet")
            .with_hint("accept the terms, then keeper job retry 2b8e07"),
    );
    tell(&mut story, 0, &Event::Failed(Box::new(failed)));
    assert_eq!(
        captured.err.text().lines().collect::<Vec<_>>(),
        [
            "Failed on gpu1: meta-llama/Llama is gated",
            "  Why    account alice has no access yet",
            "  Next   accept the terms, then keeper --hive gpu1 job retry 2b8e07",
            "  Code   upstream_auth, not retryable, job 2b8e07, nothing downloaded",
        ]
    );
}

#[test]
fn a_program_gets_each_event_as_a_line_and_the_job_as_the_last() {
    let (mut story, captured) = story(Audience::Program, 1);
    story.accepted(0, job(id(1)), true);
    let snapshot = Snapshot {
        job: job(id(1)),
        resumed: None,
    };
    tell(&mut story, 0, &Event::Snapshot(Box::new(snapshot)));
    let done = succeeded(1);
    tell(&mut story, 0, &Event::Succeeded(Box::new(done.clone())));
    finish(story);
    let lines: Vec<serde_json::Value> = captured
        .out
        .text()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let keys: Vec<&String> = lines[0].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["data", "event", "id"]);
    assert_eq!(lines[0]["event"], "snapshot");
    assert_eq!(lines[0]["id"], 7);
    assert_eq!(lines[1]["event"], "succeeded");
    assert_eq!(lines[2], serde_json::to_value(done).unwrap());
    assert_eq!(lines.len(), 3);
    assert_eq!(captured.err.text(), "");
}

#[test]
fn a_cancelled_job_says_what_is_kept_and_how_to_go_on() {
    let (mut story, captured) = story(Audience::Person, 1);
    let mut cancelled = job(id(0x9f_3c41));
    cancelled.state = JobState::Cancelled.into();
    cancelled.partial_bytes_kept = 85_500_000_000;
    cancelled.progress.bytes_total = Some(142_300_000_000);
    let event = Event::Cancelled(Box::new(cancelled));
    let since_cancel = Some(Duration::from_millis(210));
    story.event(0, 9, &event, since_cancel, Instant::now());
    assert_eq!(
        captured.err.text().lines().collect::<Vec<_>>(),
        [
            "Cancelled 9f3c41 on gpu1 in 0.2 s: connections closed, nothing of it runs any more",
            "Kept 85.5 of 142.3 GB",
            "  Go on     keeper --hive gpu1 job retry 9f3c41",
            "  Discard   keeper --hive gpu1 job cancel 9f3c41 --discard-partial",
        ]
    );
}

#[test]
fn leaving_says_what_becomes_of_each_job_and_how_to_reach_it() {
    let (mut left, captured) = story(Audience::QuietPerson, 1);
    left.accepted(0, job(id(0x9f_3c41)), true);
    let unended = [(0, Some(id(0x9f_3c41))), (0, None)];
    left.leaving(Leaving::CancelUnconfirmed(Signal::Interrupt), &unended);
    left.leaving(Leaving::Detached, &unended[..1]);
    assert_eq!(
        captured.err.text().lines().collect::<Vec<_>>(),
        [
            "Left before gpu1 answered: it may have accepted the job",
            "  Look      keeper --hive gpu1 job list",
            "Left before gpu1 answered: job 9f3c41 may still run",
            "  Cancel    keeper --hive gpu1 job cancel 9f3c41",
            "Left gpu1: job 9f3c41 goes on",
            "  Watch     keeper --hive gpu1 job watch 9f3c41",
        ]
    );
}

#[test]
fn a_paused_job_says_how_to_resume_it_and_that_it_stays_paused_when_left() {
    let (mut story, captured) = story(Audience::Person, 1);
    story.accepted(0, job(id(0x9f_3c41)), true);
    let moved_to = |state: JobState| {
        Event::State(StateEvent {
            sequence: 3,
            at: Timestamp::from_second(1_800_000_000).unwrap(),
            state: state.into(),
            attempt: 1,
        })
    };
    tell(&mut story, 0, &moved_to(JobState::Paused));
    let unended = [(0, Some(id(0x9f_3c41)))];
    story.leaving(Leaving::Detached, &unended);
    tell(&mut story, 0, &moved_to(JobState::Queued));
    assert_eq!(
        captured.err.text().lines().skip(1).collect::<Vec<_>>(),
        [
            "gpu1: paused; it goes on when it is resumed: keeper --hive gpu1 job resume 9f3c41",
            "Left gpu1: job 9f3c41 stays paused",
            "  Resume    keeper --hive gpu1 job resume 9f3c41",
            "gpu1: resumed",
        ]
    );
}

fn local(jobs: usize) -> (Story, Captured) {
    let (mut story, captured) = story(Audience::Person, jobs);
    for shown in &mut story.jobs {
        shown.hive.is_local = true;
        shown.hive.flag = None;
    }
    (story, captured)
}

#[test]
fn a_stopped_local_hive_is_told_once_with_the_way_to_start_it() {
    let (mut story, captured) = local(1);
    story.accepted(0, job(id(0x9f_3c41)), true);
    let now = Instant::now();
    story.lost(0, false, now);
    for _ in 0..2 {
        story.lost(0, true, now);
        story.hive_is_gone(0, "was stopped");
    }
    assert_eq!(
        captured.err.text().lines().skip(1).collect::<Vec<_>>(),
        [
            "gpu1: connection lost, the job goes on, trying again",
            "gpu1: the hive was stopped; the job goes on when it runs again: keeper hive start",
        ]
    );
    let later = now + Duration::from_secs(12);
    assert_eq!(story.jobs[0].status(later), "hive not running for 12 s");
}

#[test]
fn leaving_several_jobs_names_one_command_for_all_that_fare_alike() {
    let (mut story, captured) = story(Audience::QuietPerson, 3);
    let unended = [0, 1, 2].map(|index| (index, Some(id(index as u128 + 1))));
    for (index, state) in [JobState::Running, JobState::Paused, JobState::Running]
        .into_iter()
        .enumerate()
    {
        let mut job = job(unended[index].1.unwrap());
        job.state = state.into();
        story.accepted(index, job, false);
    }
    story.leaving(Leaving::JobsGoOn(Signal::Interrupt), &unended);
    assert_eq!(
        captured.err.text().lines().collect::<Vec<_>>(),
        [
            "Left gpu1: 2 jobs go on",
            "  Watch     keeper --hive gpu1 job watch 000001 000003",
            "Left gpu1: job 000002 stays paused",
            "  Resume    keeper --hive gpu1 job resume 000002",
        ]
    );
}

#[test]
fn leaving_while_no_hive_runs_claims_no_running_job() {
    let (mut story, captured) = local(1);
    story.accepted(0, job(id(0x9f_3c41)), true);
    story.lost(0, true, Instant::now());
    let unended = [(0, Some(id(0x9f_3c41)))];
    story.leaving(Leaving::CancelTimedOut(Signal::Interrupt), &unended);
    assert_eq!(
        captured.err.text().lines().skip(2).collect::<Vec<_>>(),
        [
            "Left gpu1, where no hive runs: the job goes on when it runs again",
            "  Cancel    keeper job cancel 9f3c41",
        ]
    );
}

#[test]
fn a_hive_that_died_and_runs_again_is_told_for_all_jobs_at_once() {
    let (mut story, captured) = local(2);
    for index in 0..2 {
        story.lost(index, true, Instant::now());
    }
    story.hive_started_again(0, 1);
    let told = captured.err.text();
    assert_eq!(
        told.lines().last(),
        Some("gpu1: the hive had died, started it again (1 of 5)")
    );
    assert!(!told.contains("goes on"), "{told}");
}

#[test]
fn a_hive_that_does_not_come_back_is_told_once_for_all_jobs() {
    let (mut story, captured) = local(2);
    let failure = Failure::new(3, "hive_unreachable", "the hive has died again", "read it");
    for index in 0..2 {
        story.refused(index, failure.clone());
    }
    assert_eq!(
        captured.err.text().lines().collect::<Vec<_>>(),
        ["The hive has died again", "  Next   read it"]
    );
}

#[test]
fn what_a_job_does_while_nothing_is_heard_of_it_is_said_as_it_is() {
    for (state, said) in [
        (JobState::Running, "the job goes on"),
        (JobState::Queued, "the job stays in the queue"),
        (JobState::Pausing, "the job is being paused"),
        (JobState::Paused, "the job stays paused"),
        (JobState::Cancelling, "the job is being cancelled"),
    ] {
        let (mut story, captured) = story(Audience::Person, 1);
        let mut job = job(id(1));
        job.state = state.into();
        story.accepted(0, job, true);
        let now = Instant::now();
        story.lost(0, false, now);
        let lost = format!("gpu1: connection lost, {said}, trying again");
        assert_eq!(captured.err.text().lines().last(), Some(lost.as_str()));
        assert_eq!(
            story.jobs[0].status(now),
            format!("not connected for 0 s, {said}, trying again")
        );
    }
}

#[test]
fn several_accepted_jobs_are_told_with_their_models() {
    let (mut story, captured) = story(Audience::Person, 2);
    story.accepted(1, job(id(0xa3_f448)), true);
    assert_eq!(
        captured.err.text(),
        "gpu1: job a3f448 accepted: download a/b\n"
    );
}
