//! Pages of jobs, newest first.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use hive_api::JobState;
use job_registry::{JobFilter, ListError, WriteObserver};

use crate::stage::Stage;

#[tokio::test]
async fn pages_go_from_the_newest_to_the_oldest_without_gap_or_repeat() {
    let stage = Stage::with(|settings| settings.max_running = 1).await;
    let mut expected = Vec::new();
    for _ in 0..7 {
        expected.insert(0, stage.submit().await);
    }
    let mut filter = JobFilter {
        limit: 3,
        ..JobFilter::default()
    };
    let mut seen = Vec::new();
    loop {
        let page = stage.registry.list(&filter).await.unwrap();
        assert!(page.jobs.len() <= 3);
        seen.extend(page.jobs.into_iter().map(|job| job.job_id));
        // A job that comes meanwhile does not move the pages.
        stage.submit().await;
        match page.next_cursor {
            Some(cursor) => filter.cursor = Some(cursor),
            None => break,
        }
    }
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn a_list_can_be_restricted_to_a_state_or_a_kind() {
    let mut stage = Stage::with(|settings| settings.max_running = 1).await;
    let (running, _work) = stage.running().await;
    let queued = stage.submit().await;
    let ids = async |state: Option<JobState>, kind: Option<&str>| {
        let filter = JobFilter {
            state,
            kind: kind.map(str::to_owned),
            ..JobFilter::default()
        };
        let page = stage.registry.list(&filter).await.unwrap();
        assert_eq!(page.next_cursor, None);
        page.jobs.iter().map(|job| job.job_id).collect::<Vec<_>>()
    };
    assert_eq!(ids(Some(JobState::Running), None).await, [running]);
    assert_eq!(ids(Some(JobState::Queued), None).await, [queued]);
    assert_eq!(ids(None, Some("model_download")).await, [queued, running]);
    assert!(ids(None, Some("engine_start")).await.is_empty());
}

#[tokio::test]
async fn jobs_are_counted_by_state_and_kind() {
    let mut stage = Stage::with(|settings| settings.max_running = 1).await;
    assert!(stage.registry.count_jobs().await.unwrap().is_empty());
    let (ended, work) = stage.running().await;
    work.succeed();
    stage.ended(ended).await;
    let (_, _work) = stage.running().await;
    stage.submit().await;
    stage.submit().await;
    let counts = stage.registry.count_jobs().await.unwrap();
    let mut counts: Vec<_> = counts
        .iter()
        .map(|count| (count.state.as_str(), count.kind.as_str(), count.jobs))
        .collect();
    counts.sort_unstable();
    let kind = "model_download";
    assert_eq!(
        counts,
        [
            ("queued", kind, 2),
            ("running", kind, 1),
            ("succeeded", kind, 1)
        ]
    );
}

#[tokio::test]
async fn who_observes_writes_is_told_of_each_one() {
    let writes = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&writes);
    let mut stage = Stage::with(|settings| {
        settings.on_write = WriteObserver::new(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
        });
    })
    .await;
    let before = writes.load(Ordering::Relaxed);
    let (id, work) = stage.running().await;
    work.succeed();
    stage.ended(id).await;
    assert_eq!(writes.load(Ordering::Relaxed), before + 3);
}

#[tokio::test]
async fn a_made_up_cursor_is_refused() {
    let stage = Stage::new().await;
    let filter = JobFilter {
        cursor: Some("nonsense".to_owned()),
        ..JobFilter::default()
    };
    let listed = stage.registry.list(&filter).await;
    assert!(matches!(listed, Err(ListError::InvalidCursor)));
}
