//! A changed limit is durable when it is answered, reaches work that is under way, and waits for work that is not.

use hive_api::{ChangeJob, Event, Job, JobId, JobState};
use job_registry::{ChangeError, JobRegistry};
use uuid::Uuid;

use crate::stage::{Stage, rest, submission, within};

async fn limit(
    registry: &JobRegistry,
    id: JobId,
    limit_bytes_per_second: Option<u64>,
) -> Result<Option<Job>, ChangeError> {
    let change = ChangeJob {
        limit_bytes_per_second,
    };
    registry.change(id, change).await
}

#[tokio::test]
async fn work_that_runs_hears_of_a_new_limit_and_the_log_tells_it_once() {
    let mut stage = Stage::new().await;
    let (id, work) = stage.running().await;
    let mut heard = work.context.limit_bytes_per_second();
    assert_eq!(*heard.borrow(), None);

    for bytes in [Some(20_000_000), Some(20_000_000), None] {
        let job = limit(&stage.registry, id, bytes).await.unwrap().unwrap();
        assert_eq!(job.limit_bytes_per_second, bytes);
        within(heard.wait_for(|limit| *limit == bytes))
            .await
            .unwrap();
    }

    work.succeed();
    let mut watch = stage.watch(id, Some("2")).await;
    let told: Vec<_> = rest(&mut watch)
        .await
        .into_iter()
        .filter_map(|frame| match frame.event {
            Event::Log(line) => Some((line.message, line.code.unwrap())),
            _ => None,
        })
        .collect();
    let code = || "rate_limit_changed".to_owned();
    assert_eq!(
        told,
        [
            ("rate limit set to 20 MB/s".to_owned(), code()),
            ("rate limit lifted".to_owned(), code()),
        ]
    );
}

#[tokio::test]
async fn a_job_that_waits_keeps_its_limit_for_its_start_also_over_a_crash() {
    let mut stage = Stage::with(|settings| settings.max_running = 1).await;
    let (_, _work) = stage.running().await;
    let mut slow = submission();
    slow.request.limit_bytes_per_second = Some(1_000);
    let queued = stage.registry.submit(slow).await.unwrap().job.job_id;
    let paused = stage.submit().await;
    stage.registry.pause(paused).await.unwrap();
    limit(&stage.registry, queued, Some(2_000)).await.unwrap();
    limit(&stage.registry, paused, Some(3_000)).await.unwrap();

    let mut stage = stage.crash().await;
    stage.started().await.succeed();
    let work = stage.started().await;
    assert_eq!(work.context.job_id(), queued);
    assert_eq!(*work.context.limit_bytes_per_second().borrow(), Some(2_000));
    work.succeed();
    stage.registry.resume(paused).await.unwrap();
    let work = stage.started().await;
    assert_eq!(*work.context.limit_bytes_per_second().borrow(), Some(3_000));
}

#[tokio::test]
async fn a_job_that_ends_or_has_ended_keeps_the_limit_it_had() {
    let mut stage = Stage::new().await;
    let (id, work) = stage.running().await;
    stage.registry.cancel(id).await.unwrap();
    let refused = limit(&stage.registry, id, Some(1)).await;
    let cancelling = JobState::Cancelling.into();
    assert!(matches!(refused, Err(ChangeError::WrongState { state }) if state == cancelling));

    work.stop();
    stage.ended(id).await;
    let refused = limit(&stage.registry, id, Some(1)).await;
    let cancelled = JobState::Cancelled.into();
    assert!(matches!(refused, Err(ChangeError::WrongState { state }) if state == cancelled));
    let job = stage.registry.get(id).await.unwrap().unwrap();
    assert_eq!(job.limit_bytes_per_second, None);

    let unknown = JobId::new(Uuid::from_u128(1));
    let answer = limit(&stage.registry, unknown, None).await.unwrap();
    assert_eq!(answer, None);
}
