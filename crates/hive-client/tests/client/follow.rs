//! Following a job over connections that come and go.

use std::time::Duration;

use futures_util::StreamExt;
use hive_api::{Event, JobState, Problem, ProblemCode};
use hive_client::{ClientError, ConnectionLoss, Followed};

use crate::scripted::{
    ScriptedHive, Step, answer, ended, event_stream, frame, job, json, snapshot, succeeded,
};

/// Everything that following yields, in short words, to its end.
pub(crate) async fn story(hive: &ScriptedHive) -> Vec<String> {
    let told = async {
        let mut stream = hive.client.follow(job().job_id);
        let mut story = Vec::new();
        while let Some(item) = stream.next().await {
            story.push(match item {
                Ok(Followed::Event { id, event }) => format!("{} {id}", event.name()),
                Ok(Followed::ConnectionLost { reason, .. }) => match reason {
                    ConnectionLoss::Closed => "closed".into(),
                    ConnectionLoss::Silent { after } => format!("silent {}", after.as_secs()),
                    ConnectionLoss::Refused => "refused".into(),
                    ConnectionLoss::Failed { .. } => "failed".into(),
                    ConnectionLoss::Status { status } => format!("status {status}"),
                    ConnectionLoss::Garbage { .. } => "garbage".into(),
                },
                Ok(Followed::Reconnected { .. }) => "reconnected".into(),
                Err(ClientError::Unauthorized(_)) => "unauthorized".into(),
                Err(ClientError::Problem(problem)) => format!("problem {}", problem.status),
                Err(ClientError::Protocol { .. }) => "protocol".into(),
                Err(error) => format!("{error}"),
            });
        }
        story
    };
    tokio::time::timeout(Duration::from_secs(30), told)
        .await
        .unwrap()
}

fn heartbeat(id: u64) -> String {
    frame(
        id,
        &Event::Heartbeat(hive_api::Heartbeat {
            elapsed_seconds: 1,
            idle_seconds: 0,
            bytes_done: 0,
        }),
    )
}

#[tokio::test]
async fn the_stream_ends_after_the_last_event_with_one_request() {
    let hive = ScriptedHive::start(vec![Step::SendAndHold(event_stream(&[
        snapshot(2),
        succeeded(),
    ]))])
    .await;
    assert_eq!(story(&hive).await, ["snapshot 2", "succeeded 9"]);
    assert_eq!(hive.requests().len(), 1);
    assert_eq!(hive.header("last-event-id"), [None]);
    assert_eq!(
        hive.header("authorization"),
        [Some("Bearer the-token".to_owned())]
    );
}

#[tokio::test]
async fn a_dropped_connection_is_said_and_goes_on_after_the_last_event_seen() {
    let hive = ScriptedHive::start(vec![
        Step::Send(event_stream(&[snapshot(2), heartbeat(4)])),
        Step::Close,
        Step::Send(event_stream(&[snapshot(4), succeeded()])),
    ])
    .await;
    assert_eq!(
        story(&hive).await,
        [
            "snapshot 2",
            "heartbeat 4",
            "closed",
            "failed",
            "reconnected",
            "snapshot 4",
            "succeeded 9"
        ]
    );
    let seen = Some("4".to_owned());
    assert_eq!(hive.header("last-event-id"), [None, seen.clone(), seen]);
}

#[tokio::test]
async fn a_frame_cut_in_the_middle_is_asked_for_again() {
    let whole = event_stream(&[snapshot(2), succeeded()]);
    let cut = whole[..whole.len() - 20].to_owned();
    let hive = ScriptedHive::start(vec![Step::Send(cut), Step::Send(whole)]).await;
    assert_eq!(
        story(&hive).await,
        [
            "snapshot 2",
            "closed",
            "reconnected",
            "snapshot 2",
            "succeeded 9"
        ]
    );
}

#[tokio::test]
async fn headers_that_never_come_and_a_stream_that_falls_silent_are_lost_connections() {
    let hive = ScriptedHive::start(vec![
        Step::SendAndHold(event_stream(&[snapshot(2)])),
        Step::SendAndHold(String::new()),
        Step::Send(event_stream(&[snapshot(2), succeeded()])),
    ])
    .await;
    assert_eq!(
        story(&hive).await,
        [
            "snapshot 2",
            "silent 3",
            "silent 3",
            "reconnected",
            "snapshot 2",
            "succeeded 9"
        ]
    );
}

#[tokio::test]
async fn a_hive_that_has_nothing_more_is_asked_for_the_job_itself() {
    let no_content = "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n".to_owned();
    let hive = ScriptedHive::start(vec![
        Step::Send(event_stream(&[snapshot(2)])),
        Step::Send(no_content),
        Step::Send(json("200 OK", &ended(JobState::Cancelled))),
    ])
    .await;
    assert_eq!(
        story(&hive).await,
        ["snapshot 2", "closed", "reconnected", "cancelled 9"]
    );
    assert!(hive.requests()[2].starts_with("GET /v1/jobs/"));
}

#[tokio::test]
async fn an_error_that_may_pass_is_tried_again() {
    let busy = json(
        "429 Too Many Requests",
        &Problem::new(ProblemCode::TooManyStreams, "too many"),
    );
    let hive = ScriptedHive::start(vec![
        Step::Send(busy),
        Step::Send(answer("502 Bad Gateway", "text/html", "<html>")),
        Step::Send(event_stream(&[snapshot(2), succeeded()])),
    ])
    .await;
    assert_eq!(
        story(&hive).await,
        [
            "status 429",
            "status 502",
            "reconnected",
            "snapshot 2",
            "succeeded 9"
        ]
    );
}

#[tokio::test]
async fn a_refusal_ends_the_stream() {
    let refusals = [
        (ProblemCode::NotFound, "problem 404"),
        (ProblemCode::Unauthenticated, "unauthorized"),
        (ProblemCode::HostNotAllowed, "unauthorized"),
    ];
    for (code, told) in refusals {
        let status = format!("{} Refused", code.status());
        let refusal = json(&status, &Problem::new(code, "no"));
        let hive = ScriptedHive::start(vec![Step::Send(refusal)]).await;
        assert_eq!(story(&hive).await, [told]);
        assert_eq!(hive.requests().len(), 1);
    }
}

#[tokio::test]
async fn a_log_is_asked_for_from_its_first_event() {
    let hive =
        ScriptedHive::start(vec![Step::Send(event_stream(&[snapshot(0), succeeded()]))]).await;
    let mut stream = hive.client.follow_after(job().job_id, 0);
    while stream.next().await.is_some() {}
    assert_eq!(hive.header("last-event-id"), [Some("0".to_owned())]);
}

#[tokio::test]
async fn the_start_of_a_log_whose_first_lines_were_dropped_is_found() {
    let last_sequence = job().sequence;
    for first_kept in 0..=last_sequence {
        let steps = (0..8).map(|_| Step::LogFrom(first_kept)).collect();
        let hive = ScriptedHive::start(steps).await;
        let start = hive.client.log_start(job().job_id).await.unwrap();
        assert_eq!(start, first_kept);
    }
}

#[tokio::test]
async fn the_start_of_a_log_is_not_asked_for_for_ever() {
    let hive = ScriptedHive::start(vec![Step::LogFrom(4), Step::Close]).await;
    let error = hive.client.log_start(job().job_id).await.unwrap_err();
    assert!(matches!(error, ClientError::AnswerLost { .. }), "{error:?}");
    assert_eq!(hive.requests().len(), 2);
}

#[tokio::test]
async fn a_unix_socket_is_followed_the_same_way() {
    let folder = tempfile::tempdir().unwrap();
    let hive = ScriptedHive::start_on_socket(
        &folder.path().join("hive.sock"),
        vec![
            Step::Send(event_stream(&[snapshot(2)])),
            Step::Send(event_stream(&[snapshot(2), succeeded()])),
        ],
    );
    assert_eq!(
        story(&hive).await,
        [
            "snapshot 2",
            "closed",
            "reconnected",
            "snapshot 2",
            "succeeded 9"
        ]
    );
    assert_eq!(hive.header("authorization"), [None, None]);
}
