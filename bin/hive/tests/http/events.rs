//! The event stream of a job.

use reqwest::{Method, Response};
use serde_json::Value;
use tokio::time::timeout;

use crate::running_hive::{LIMIT, RunningHive, code_of};

/// Reads whole frames from a stream.
pub(crate) struct Frames {
    answer: Response,
    text: String,
}

#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) event: String,
    pub(crate) id: u64,
    pub(crate) data: Value,
    retry: Option<String>,
}

impl Frames {
    pub(crate) fn of(answer: Response) -> Self {
        assert_eq!(answer.status(), 200);
        Self {
            answer,
            text: String::new(),
        }
    }

    /// The next frame, or `None` at the end of the stream.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        self.next_text().await.as_deref().map(Frame::parse)
    }

    /// The next frame as it came.
    pub(crate) async fn next_text(&mut self) -> Option<String> {
        loop {
            if let Some((frame, rest)) = self.text.split_once("\n\n") {
                let (frame, rest) = (frame.to_owned(), rest.to_owned());
                self.text = rest;
                return Some(frame);
            }
            let chunk = timeout(LIMIT, self.answer.chunk())
                .await
                .unwrap()
                .unwrap()?;
            self.text += std::str::from_utf8(&chunk).unwrap();
        }
    }

    /// The frames up to the end of the stream.
    pub(crate) async fn rest(mut self) -> Vec<Frame> {
        let mut frames = Vec::new();
        while let Some(frame) = self.next().await {
            frames.push(frame);
        }
        frames
    }
}

impl Frame {
    fn parse(text: &str) -> Self {
        let field = |name: &str| {
            let mut values = text.lines().filter_map(|line| line.strip_prefix(name));
            let value = values.next().map(|value| value.trim().to_owned());
            assert_eq!(values.next(), None, "{name} twice in {text}");
            value
        };
        Self {
            event: field("event:").unwrap(),
            id: field("id:").unwrap().parse().unwrap(),
            data: serde_json::from_str(&field("data:").unwrap()).unwrap(),
            retry: field("retry:"),
        }
    }
}

#[tokio::test]
async fn a_stream_begins_with_the_job_before_the_hub_has_answered() {
    let hive = RunningHive::start().await;
    let _held = hive.hub.hold_api();
    let id = hive.submit("a/b").await;
    let answer = hive.get(&format!("/v1/jobs/{id}/events")).await;
    let headers = answer.headers().clone();
    assert_eq!(headers["content-type"], "text/event-stream");
    assert_eq!(headers["cache-control"], "no-store");
    assert_eq!(headers["x-accel-buffering"], "no");
    assert!(!headers.contains_key("content-encoding"));
    let first = Frames::of(answer).next().await.unwrap();
    assert_eq!(
        (&*first.event, first.retry.as_deref()),
        ("snapshot", Some("2000"))
    );
    assert_eq!(first.data["job_id"], id);
    assert_eq!(first.data["sequence"], first.id);
    hive.stop().await;
}

#[tokio::test]
async fn a_cancelled_jobs_stream_ends_with_one_last_event_and_then_has_nothing_more() {
    let hive = RunningHive::start().await;
    let _held = hive.hub.hold_api();
    let id = hive.submit("a/b").await;
    let path = format!("/v1/jobs/{id}/events");
    let mut live = Frames::of(hive.get(&path).await);
    live.next().await.unwrap();
    hive.delete(&format!("/v1/jobs/{id}?wait_seconds=10")).await;
    let frames = live.rest().await;
    let ids: Vec<u64> = frames.iter().map(|frame| frame.id).collect();
    assert!(ids.is_sorted(), "{ids:?}");
    let last = frames.last().unwrap();
    assert_eq!(
        (&*last.event, &last.data["state"]),
        ("cancelled", &Value::from("cancelled"))
    );
    let ends = frames
        .iter()
        .filter(|frame| frame.event == "cancelled")
        .count();
    assert_eq!(ends, 1);

    let resume = async |last_event_id: &str| {
        let request = hive
            .request(Method::GET, &path)
            .header("last-event-id", last_event_id);
        request.send().await.unwrap()
    };
    assert_eq!(resume(&last.id.to_string()).await.status(), 204);
    let missed = Frames::of(resume("1").await).rest().await;
    assert_eq!(missed[0].event, "snapshot");
    assert_eq!(
        missed[0].id, 1,
        "a resumed snapshot carries the reader's own id"
    );
    let numbers: Vec<u64> = missed[1..].iter().map(|frame| frame.id).collect();
    assert_eq!(numbers, (2..=last.id).collect::<Vec<_>>());
    let garbage = Frames::of(resume("x\u{e9}").await).rest().await;
    assert_eq!(garbage[0].data["resumed"], false);
    hive.stop().await;
}

#[tokio::test]
async fn a_job_goes_on_when_its_watcher_leaves() {
    let hive = RunningHive::start().await;
    let _held = hive.hub.hold_api();
    let id = hive.submit("a/b").await;
    let mut frames = Frames::of(hive.get(&format!("/v1/jobs/{id}/events")).await);
    frames.next().await.unwrap();
    drop(frames);
    let job: Value = hive
        .get(&format!("/v1/jobs/{id}"))
        .await
        .json()
        .await
        .unwrap();
    assert!(["queued", "running"].contains(&job["state"].as_str().unwrap()));
    hive.stop().await;
}

#[tokio::test]
async fn one_stream_too_many_is_refused_and_said_to_be_worth_another_try() {
    let hub = fake_hub::FakeHub::builder().start().await;
    let hive = RunningHive::start_with(hub, |config| config.connections.open_streams = 1).await;
    let _held = hive.hub.hold_api();
    let id = hive.submit("a/b").await;
    let path = format!("/v1/jobs/{id}/events");
    let mut first = Frames::of(hive.get(&path).await);
    first.next().await.unwrap();
    let second = hive.get(&path).await;
    assert!(second.headers().contains_key("retry-after"));
    assert_eq!(code_of(second).await, "too_many_streams");
    hive.stop().await;
}

#[tokio::test]
async fn one_job_does_not_take_every_seat() {
    let hub = fake_hub::FakeHub::builder().start().await;
    let hive = RunningHive::start_with(hub, |config| {
        config.connections.open_streams = 2;
        config.connections.open_streams_per_job = 1;
    })
    .await;
    let _held = hive.hub.hold_api();
    let events = async |model: &str| format!("/v1/jobs/{}/events", hive.submit(model).await);
    let (crowded, other) = (events("a/b").await, events("a/c").await);
    let mut first = Frames::of(hive.get(&crowded).await);
    first.next().await.unwrap();
    let refused = hive.get(&crowded).await;
    assert!(refused.headers().contains_key("retry-after"));
    assert_eq!(code_of(refused).await, "too_many_streams");
    let mut second = Frames::of(hive.get(&other).await);
    second.next().await.unwrap();
    assert_eq!(
        code_of(hive.get("/v1/events").await).await,
        "too_many_streams"
    );
    hive.stop().await;
}
