//! What answers may be no hive at all, or one that means harm.

use hive_client::ClientError;

use crate::{
    follow::story,
    scripted::{ScriptedHive, Step, answer, event_stream, job, snapshot, succeeded},
};

#[tokio::test]
async fn garbage_is_a_lost_connection_and_ends_the_stream_when_nothing_else_comes() {
    let garbage = [
        answer("200 OK", "text/html", "<html>Please log in</html>"),
        event_stream(&["event: snapshot\nid: 1\ndata: {\"not\":\"a job\"}\n\n".to_owned()]),
        event_stream(&["event: snapshot\nid: one\ndata: {}\n\n".to_owned()]),
        event_stream(&[
            "\u{1}\u{2}garbage\n\n\n".to_owned(),
            "event: succeeded\ndata: {\n\n".to_owned(),
        ]),
        answer("200 OK", "application/json", "{}"),
    ];
    let mut steps = vec![Step::Send(event_stream(&[snapshot(2)]))];
    steps.extend(garbage.map(Step::Send));
    let hive = ScriptedHive::start(steps).await;
    assert_eq!(
        story(&hive).await,
        [
            "snapshot 2",
            "closed",
            "garbage",
            "garbage",
            "garbage",
            "garbage",
            "protocol"
        ]
    );
}

#[tokio::test]
async fn garbage_between_events_does_not_end_the_stream() {
    let garbage = event_stream(&["event: state\nid: 3\ndata: nonsense\n\n".to_owned()]);
    let hive = ScriptedHive::start(vec![
        Step::Send(event_stream(&[snapshot(2)])),
        Step::Send(garbage),
        Step::Send(event_stream(&[snapshot(2), succeeded()])),
    ])
    .await;
    assert_eq!(
        story(&hive).await,
        [
            "snapshot 2",
            "closed",
            "garbage",
            "reconnected",
            "snapshot 2",
            "succeeded 9"
        ]
    );
}

#[tokio::test]
async fn events_of_a_newer_hive_are_passed_on_and_are_not_the_end() {
    let newer = "event: sparkle\nid: 5\ndata: {\"shiny\":true}\n\n".to_owned();
    let hive = ScriptedHive::start(vec![Step::Send(event_stream(&[
        snapshot(2),
        newer,
        succeeded(),
    ]))])
    .await;
    assert_eq!(
        story(&hive).await,
        ["snapshot 2", "sparkle 5", "succeeded 9"]
    );
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let redirect = "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://127.0.0.1:9/\r\n\
                    content-length: 0\r\nconnection: close\r\n\r\n";
    let hive = ScriptedHive::start(vec![Step::Send(redirect.to_owned())]).await;
    assert_eq!(story(&hive).await, ["protocol"]);
    let hive = ScriptedHive::start(vec![Step::Send(redirect.to_owned())]).await;
    let refused = hive.client.job(job().job_id).await.unwrap_err();
    assert!(
        matches!(refused, ClientError::Protocol { .. }),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_frame_without_end_is_cut_off() {
    let endless = format!("event: log\nid: 3\ndata: {}", "x".repeat(5 * 1024 * 1024));
    let hive = ScriptedHive::start(vec![
        Step::Send(event_stream(&[snapshot(2), endless])),
        Step::Send(event_stream(&[snapshot(2), succeeded()])),
    ])
    .await;
    assert_eq!(
        story(&hive).await,
        [
            "snapshot 2",
            "failed",
            "reconnected",
            "snapshot 2",
            "succeeded 9"
        ]
    );
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    let body = format!("\"{}\"", "x".repeat(33 * 1024 * 1024));
    let hive = ScriptedHive::start(vec![Step::Send(answer(
        "200 OK",
        "application/json",
        &body,
    ))])
    .await;
    let refused = hive.client.hive().await.unwrap_err();
    assert!(
        matches!(refused, ClientError::Protocol { .. }),
        "{refused:?}"
    );
}
