//! Slots are given in order: the higher priority first, then who came first.

use hive_api::Priority;
use job_registry::JobFilter;

use crate::stage::Stage;

#[tokio::test]
async fn no_more_jobs_run_than_there_are_slots() {
    let mut stage = Stage::with(|settings| settings.max_running = 2).await;
    let (_, first) = stage.running().await;
    let (_, _second) = stage.running().await;
    let third = stage.submit().await;
    let fourth = stage.submit().await;
    let position = async |id| {
        stage
            .registry
            .get(id)
            .await
            .unwrap()
            .unwrap()
            .queue_position
    };
    assert_eq!(position(third).await, Some(1));
    assert_eq!(position(fourth).await, Some(2));
    let page = stage.registry.list(&JobFilter::default()).await.unwrap();
    let listed: Vec<_> = page.jobs.iter().map(|job| job.queue_position).collect();
    assert_eq!(listed, [Some(2), Some(1), None, None]);
    let counts = stage.registry.counts();
    assert_eq!((counts.running, counts.queued), (2, 2));
    assert!(stage.starts.is_empty());

    first.succeed();
    let next = stage.started().await;
    assert_eq!(next.context.job_id(), third);
    let fourth = stage.registry.get(fourth).await.unwrap().unwrap();
    assert_eq!(fourth.queue_position, Some(1));
}

#[tokio::test]
async fn priority_goes_before_the_order_of_submission() {
    let mut stage = Stage::with(|settings| settings.max_running = 1).await;
    let (_, mut work) = stage.running().await;
    let low = stage.submit_with(Priority::Low).await;
    let normal = stage.submit_with(Priority::Normal).await;
    let normal_later = stage.submit_with(Priority::Normal).await;
    let high = stage.submit_with(Priority::High).await;
    for expected in [high, normal, normal_later, low] {
        work.succeed();
        work = stage.started().await;
        assert_eq!(work.context.job_id(), expected);
    }
}
