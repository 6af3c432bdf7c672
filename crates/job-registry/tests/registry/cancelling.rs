//! A cancel is durable when it is answered, ends the work, and is told only when nothing of the job runs any more.

use hive_api::{JobState, Phase};
use job_registry::{ChangeError, LogLine};

use crate::stage::{Stage, result, state};

#[tokio::test]
async fn a_queued_job_is_cancelled_at_once_and_never_starts() {
    let mut stage = Stage::with(|settings| settings.max_running = 1).await;
    let (_, work) = stage.running().await;
    let waiting = stage.submit().await;
    let job = stage.registry.cancel(waiting).await.unwrap().unwrap();
    assert_eq!(state(&job), JobState::Cancelled);
    work.succeed();
    let (next, _work) = stage.running().await;
    assert_ne!(next, waiting);
}

#[tokio::test]
async fn a_running_job_is_cancelled_only_when_its_work_has_ended() {
    let mut stage = Stage::new().await;
    let (id, work) = stage.running().await;
    let job = stage.registry.cancel(id).await.unwrap().unwrap();
    assert_eq!(state(&job), JobState::Cancelling);
    work.told_to_stop().await;

    work.context
        .log(LogLine::info("Waits for the disk"))
        .await
        .unwrap();
    assert!(work.context.phase(Phase::Verifying).await.is_err());
    let again = stage.registry.cancel(id).await.unwrap().unwrap();
    assert_eq!(state(&again), JobState::Cancelling);

    let context = work.context.clone();
    work.stop();
    let job = stage.ended(id).await;
    assert_eq!(state(&job), JobState::Cancelled);
    assert!(context.log(LogLine::info("late")).await.is_err());
    assert_eq!(stage.registry.get(id).await.unwrap(), Some(job));
}

#[tokio::test]
async fn a_problem_or_a_result_after_a_cancel_is_a_cancel() {
    let mut stage = Stage::new().await;
    for ends in [true, false] {
        let (id, work) = stage.running().await;
        stage.registry.cancel(id).await.unwrap();
        if ends {
            work.end(Ok(result()));
        } else {
            work.fail();
        }
        let job = stage.ended(id).await;
        assert_eq!(state(&job), JobState::Cancelled);
        assert!(job.error.is_none() && job.result.is_none());
    }
}

#[tokio::test]
async fn a_cancel_before_publishing_wins() {
    let mut stage = Stage::new().await;
    let (id, work) = stage.running().await;
    stage.registry.cancel(id).await.unwrap();
    assert!(work.context.begin_publishing().await.is_err());
    work.stop();
    assert_eq!(state(&stage.ended(id).await), JobState::Cancelled);
}

#[tokio::test]
async fn a_cancel_after_publishing_began_is_too_late_and_says_so() {
    let mut stage = Stage::new().await;
    let (id, work) = stage.running().await;
    work.context.begin_publishing().await.unwrap();
    let job = stage.registry.cancel(id).await.unwrap().unwrap();
    assert_eq!(state(&job), JobState::Running);
    assert_eq!(job.phase.unwrap().known(), Some(&Phase::Publishing));
    assert!(!work.context.cancellation().is_cancelled());
    work.succeed();
    assert_eq!(state(&stage.ended(id).await), JobState::Succeeded);
}

#[tokio::test]
async fn a_cancel_and_publishing_at_the_same_moment_have_one_winner() {
    let mut stage = Stage::new().await;
    for _ in 0..50 {
        let (id, work) = stage.running().await;
        let (published, cancelled) =
            tokio::join!(work.context.begin_publishing(), stage.registry.cancel(id));
        let cancel_won = state(&cancelled.unwrap().unwrap()) == JobState::Cancelling;
        assert_ne!(published.is_ok(), cancel_won);
        if cancel_won {
            work.stop();
            assert_eq!(state(&stage.ended(id).await), JobState::Cancelled);
        } else {
            work.succeed();
            assert_eq!(state(&stage.ended(id).await), JobState::Succeeded);
        }
    }
}

#[tokio::test]
async fn cancelling_an_ended_or_unknown_job_changes_nothing() {
    let mut stage = Stage::new().await;
    let (id, work) = stage.running().await;
    work.fail();
    let job = stage.ended(id).await;
    assert_eq!(state(&job), JobState::Failed);
    assert_eq!(stage.registry.cancel(id).await.unwrap(), Some(job));
    let unknown = "01900000-0000-7000-8000-000000000000".parse().unwrap();
    assert_eq!(stage.registry.cancel(unknown).await.unwrap(), None);
}

#[tokio::test]
async fn a_paused_job_gives_back_its_slot_and_goes_on_when_it_is_resumed() {
    let mut stage = Stage::with(|settings| settings.max_running = 1).await;
    let (id, work) = stage.running().await;
    let job = stage.registry.pause(id).await.unwrap().unwrap();
    assert_eq!(state(&job), JobState::Pausing);
    let resumed = stage.registry.resume(id).await;
    let pausing = JobState::Pausing.into();
    assert!(matches!(resumed, Err(ChangeError::WrongState { state }) if state == pausing));
    work.told_to_stop().await;
    work.stop();

    let (_, other) = stage.running().await;
    assert_eq!(stage.state(id).await, JobState::Paused);
    let job = stage.registry.resume(id).await.unwrap().unwrap();
    assert_eq!(state(&job), JobState::Queued);
    other.succeed();
    let work = stage.started().await;
    assert_eq!((work.context.job_id(), work.context.attempt()), (id, 2));
    work.succeed();
    assert_eq!(state(&stage.ended(id).await), JobState::Succeeded);
}
