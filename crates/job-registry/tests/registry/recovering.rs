//! What a hive finds unfinished when it starts again.

use hive_api::JobState;

use crate::stage::{Stage, logged, rest, state, within};

#[tokio::test]
async fn after_a_crash_queued_and_running_jobs_go_on() {
    let mut stage = Stage::with(|settings| settings.max_running = 1).await;
    let (running, _work) = stage.running().await;
    let queued = stage.submit().await;
    let mut stage = stage.crash().await;
    let work = stage.started().await;
    assert_eq!(
        (work.context.job_id(), work.context.attempt()),
        (running, 2)
    );
    work.succeed();
    let work = stage.started().await;
    assert_eq!((work.context.job_id(), work.context.attempt()), (queued, 1));
}

#[tokio::test]
async fn after_a_crash_a_job_that_was_told_to_stop_does_not_run_again() {
    let mut stage = Stage::new().await;
    let (cancelled, _first) = stage.running().await;
    let (paused, _second) = stage.running().await;
    stage.registry.cancel(cancelled).await.unwrap();
    stage.registry.pause(paused).await.unwrap();
    let stage = stage.crash().await;
    assert_eq!(stage.state(cancelled).await, JobState::Cancelled);
    assert_eq!(stage.state(paused).await, JobState::Paused);
    assert!(stage.starts.is_empty());
}

#[tokio::test]
async fn after_a_crash_publishing_is_rolled_forward() {
    let mut stage = Stage::new().await;
    let (id, work) = stage.running().await;
    work.context.begin_publishing().await.unwrap();
    stage.registry.cancel(id).await.unwrap();
    let mut stage = stage.crash().await;
    let work = stage.started().await;
    work.succeed();
    assert_eq!(state(&stage.ended(id).await), JobState::Succeeded);
}

#[tokio::test]
async fn a_stop_of_the_hive_ends_the_work_and_cancels_nothing() {
    let mut stage = Stage::new().await;
    let (id, work) = stage.running().await;
    let registry = stage.registry.clone();
    let stopping = tokio::task::JoinSet::from_iter([async move { registry.shut_down().await }]);
    work.told_to_stop().await;
    assert_eq!(stage.state(id).await, JobState::Running);
    work.stop();
    within(stopping.join_all()).await;
    assert!(stage.registry.cancel(id).await.is_err());

    let mut stage = stage.crash().await;
    let work = stage.started().await;
    assert_eq!((work.context.job_id(), work.context.attempt()), (id, 2));
    work.succeed();
    let job = stage.ended(id).await;
    assert_eq!(state(&job), JobState::Succeeded);
}

#[tokio::test]
async fn the_numbers_of_events_rise_across_a_restart() {
    let mut stage = Stage::new().await;
    let (id, _work) = stage.running().await;
    let mut stage = stage.crash().await;
    stage.started().await.succeed();
    stage.ended(id).await;
    let mut watch = stage.watch(id, Some("0")).await;
    let names = ["state", "state", "state", "state", "succeeded"];
    let expected: Vec<_> = (1..).zip(names.map(str::to_owned)).collect();
    assert_eq!(logged(&rest(&mut watch).await), expected);
}
