//! A storm of log lines costs few writes, and the log still has every line at its place.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use hive_api::{Event, Phase};
use job_registry::{LogLine, WriteObserver};
use tokio::time::Instant;

use crate::stage::{Stage, rest, within};

#[tokio::test]
async fn lines_that_follow_on_each_other_fast_are_one_write_a_second_and_keep_their_order() {
    let writes = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&writes);
    let mut stage = Stage::with(|settings| {
        settings.on_write = WriteObserver::new(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
        });
    })
    .await;
    let (id, work) = stage.running().await;
    let (begun, before) = (Instant::now(), writes.load(Ordering::Relaxed));
    for line in 0..100 {
        let line = LogLine::info(format!("Line {line}"));
        work.context.log(line).await.unwrap();
    }
    work.context.phase(Phase::Downloading).await.unwrap();
    let written = writes.load(Ordering::Relaxed) - before;
    // The first line at once, what comes in each second after it, and the rest with the phase.
    assert!(written <= 2 + begun.elapsed().as_secs(), "{written} writes");

    work.context.log(LogLine::info("Line 100")).await.unwrap();
    work.succeed();
    let told: Vec<_> = rest(&mut stage.watch(id, Some("2")).await)
        .await
        .into_iter()
        .filter_map(|frame| match frame.event {
            Event::Log(line) => Some(line.message),
            Event::Phase(_) => Some("downloading".to_owned()),
            _ => None,
        })
        .collect();
    let mut expected: Vec<_> = (0..=100).map(|line| format!("Line {line}")).collect();
    expected.insert(100, "downloading".to_owned());
    assert_eq!(told, expected);
}

#[tokio::test]
async fn a_line_that_nothing_follows_is_seen_all_the_same() {
    let mut stage = Stage::new().await;
    let (id, work) = stage.running().await;
    for line in ["at once", "a moment later"] {
        work.context.log(LogLine::info(line)).await.unwrap();
    }
    let job = within(stage.registry.wait_past(id, 3)).await;
    assert_eq!(job.unwrap().unwrap().sequence, 4);
}
