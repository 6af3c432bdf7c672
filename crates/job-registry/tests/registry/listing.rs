//! Pages of jobs, newest first.

use hive_api::JobState;
use job_registry::{JobFilter, ListError};

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
async fn a_made_up_cursor_is_refused() {
    let stage = Stage::new().await;
    let filter = JobFilter {
        cursor: Some("nonsense".to_owned()),
        ..JobFilter::default()
    };
    let listed = stage.registry.list(&filter).await;
    assert!(matches!(listed, Err(ListError::InvalidCursor)));
}
