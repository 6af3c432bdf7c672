//! What a hive finds unfinished when it starts again.

use futures_util::FutureExt;
use hive_api::{Job, JobState, Phase, ProblemCode};
use job_registry::LeftBytes;

use crate::stage::{Stage, Started, logged, rest, state, within};

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
async fn after_a_crash_every_job_whose_work_was_cut_off_says_what_it_has_left() {
    let left = |job: Job| async move { Some(100 + u64::from(job.attempt)) }.boxed();
    let mut stage = Stage::with(|settings| settings.left_bytes = LeftBytes::new(left)).await;
    let (cancelled, _first) = stage.running().await;
    let (paused, _second) = stage.running().await;
    let (at_rest, work) = stage.running().await;
    stage.registry.pause(at_rest).await.unwrap();
    work.context.partial_bytes_kept(7);
    work.stop();
    within(stage.registry.wait_while_pausing(at_rest))
        .await
        .unwrap();
    stage.registry.cancel(cancelled).await.unwrap();
    stage.registry.pause(paused).await.unwrap();
    let stage = stage.crash().await;
    assert_eq!(stage.ended(cancelled).await.partial_bytes_kept, 101);
    for (job, kept) in [(paused, 101), (at_rest, 7)] {
        let job = stage.registry.get(job).await.unwrap().unwrap();
        assert_eq!(
            (state(&job), job.partial_bytes_kept),
            (JobState::Paused, kept)
        );
    }
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
    assert_eq!(stage.state(id).await, JobState::Queued);
    assert!(stage.registry.cancel(id).await.is_err());

    let mut stage = stage.crash().await;
    let work = stage.started().await;
    assert_eq!((work.context.job_id(), work.context.attempt()), (id, 2));
    work.succeed();
    let job = stage.ended(id).await;
    assert_eq!(state(&job), JobState::Succeeded);
}

/// Crashes the hive so often while the one job of it runs.
async fn crash_often(mut stage: Stage, times: u32, before: impl AsyncFn(&Started)) -> Stage {
    for _ in 0..times {
        let work = stage.started().await;
        before(&work).await;
        stage = stage.crash().await;
    }
    stage
}

#[tokio::test]
async fn the_fifth_crash_without_a_new_byte_fails_the_job_and_says_what_to_do() {
    let stage = Stage::new().await;
    let id = stage.submit().await;
    let stage = crash_often(stage, 4, async |_| {}).await;
    // A crash while it publishes counts as well.
    let publishes = async |work: &Started| work.context.begin_publishing().await.unwrap();
    let stage = crash_often(stage, 1, publishes).await;
    let job = stage.registry.get(id).await.unwrap().unwrap();
    assert_eq!((state(&job), job.attempt), (JobState::Failed, 5));
    let problem = job.error.unwrap();
    assert_eq!(problem.code.known(), Some(&ProblemCode::AttemptsExhausted));
    assert!(problem.retryable);
    let next = format!("keeper job retry {}", id.short());
    assert!(problem.hint.unwrap().ends_with(&next));
    assert!(stage.starts.is_empty());
}

#[tokio::test]
async fn a_new_byte_makes_earlier_crashes_count_no_more() {
    let stage = Stage::new().await;
    let id = stage.submit().await;
    let stage = crash_often(stage, 4, async |_| {}).await;
    let receives = async |work: &Started| work.context.bytes_received().await.unwrap();
    let stage = crash_often(stage, 1, receives).await;
    let stage = crash_often(stage, 3, async |_| {}).await;
    assert!(!stage.state(id).await.has_ended());
    let stage = crash_often(stage, 1, async |_| {}).await;
    assert_eq!(stage.state(id).await, JobState::Failed);
}

#[tokio::test]
async fn neither_a_stop_of_the_hive_nor_a_network_that_is_gone_counts_as_a_crash() {
    let stage = Stage::new().await;
    let id = stage.submit().await;
    let waits = async |work: &Started| {
        let waiting = work.context.phase(Phase::WaitingForNetwork).await;
        waiting.unwrap();
    };
    let mut stage = crash_often(stage, 6, waits).await;
    for _ in 0..6 {
        let work = stage.started().await;
        stage = stage.stop([(work, false)]).await;
    }
    stage.started().await.succeed();
    let job = stage.ended(id).await;
    assert_eq!((state(&job), job.attempt), (JobState::Succeeded, 13));
}

#[tokio::test]
async fn work_that_is_done_when_the_hive_stops_is_recorded() {
    let mut stage = Stage::new().await;
    let (id, work) = stage.running().await;
    let stage = stage.stop([(work, true)]).await;
    assert_eq!(stage.state(id).await, JobState::Succeeded);
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
