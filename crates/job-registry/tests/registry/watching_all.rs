//! Who watches all jobs sees each as it is now, and every end once.

use std::time::Duration;

use hive_api::{Job, JobId, JobState, Progress};
use job_registry::{AllJobs, AllJobsWatch};
use tokio::time::{Instant, timeout};

use crate::stage::{Stage, state, within};

async fn snapshot(watch: &mut AllJobsWatch) -> Vec<JobId> {
    match within(watch.next()).await {
        Some(AllJobs::Snapshot(jobs)) => jobs.iter().map(|job| job.job_id).collect(),
        other => panic!("{other:?} came first"),
    }
}

async fn job(watch: &mut AllJobsWatch) -> Job {
    loop {
        match within(watch.next()).await.unwrap() {
            AllJobs::Job(job) => return *job,
            AllJobs::Heartbeat => {}
            AllJobs::Snapshot(_) => panic!("a second snapshot came"),
        }
    }
}

#[tokio::test]
async fn unfinished_jobs_come_first_then_what_changed_and_every_end_once() {
    let mut stage = Stage::new().await;
    let (over, work) = stage.running().await;
    work.succeed();
    stage.ended(over).await;
    let (running, work) = stage.running().await;

    let mut watch = stage.registry.watch_all();
    assert_eq!(snapshot(&mut watch).await, [running]);

    // This one begins and ends between two looks.
    let short = stage.submit().await;
    stage.started().await.fail();
    stage.ended(short).await;
    work.succeed();
    stage.ended(running).await;
    let mut ends = Vec::new();
    for _ in 0..2 {
        let job = job(&mut watch).await;
        ends.push((job.job_id, state(&job)));
    }
    assert_eq!(
        ends,
        [(short, JobState::Failed), (running, JobState::Succeeded)]
    );

    tokio::time::pause();
    assert_eq!(
        watch.next().await,
        Some(AllJobs::Heartbeat),
        "an end is told once"
    );
}

#[tokio::test]
async fn a_job_is_told_at_most_four_times_a_second_and_as_it_is_then() {
    let mut stage = Stage::new().await;
    let (_, work) = stage.running().await;
    let mut watch = stage.registry.watch_all();
    snapshot(&mut watch).await;
    tokio::time::pause();
    let mut told = Vec::new();
    for bytes_done in 1..=100 {
        work.context.progress(Progress {
            bytes_done,
            ..Progress::default()
        });
        let step = Duration::from_millis(10);
        if let Ok(Some(AllJobs::Job(job))) = timeout(step, watch.next()).await {
            told.push((bytes_done, job.progress.bytes_done));
        }
    }
    assert!((3..=4).contains(&told.len()), "{told:?}");
    assert!(told.iter().all(|(now, shown)| now == shown), "{told:?}");
}

#[tokio::test]
async fn a_silent_registry_is_heard_of_every_heartbeat() {
    let stage = Stage::new().await;
    let mut watch = stage.registry.watch_all();
    assert!(snapshot(&mut watch).await.is_empty());
    tokio::time::pause();
    let begun = Instant::now();
    for beat in 1..=3 {
        assert_eq!(watch.next().await, Some(AllJobs::Heartbeat));
        assert!(begun.elapsed() <= Duration::from_secs(5 * beat) + Duration::from_millis(10));
    }
}

#[tokio::test]
async fn a_watch_ends_with_the_registry() {
    let stage = Stage::new().await;
    let mut watch = stage.registry.watch_all();
    snapshot(&mut watch).await;
    stage.registry.shut_down().await;
    assert_eq!(within(watch.next()).await, None);
}
