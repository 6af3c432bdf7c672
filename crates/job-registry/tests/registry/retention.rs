//! Ended jobs go when they are old or too many, and nothing else does.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use hive_api::JobId;
use jiff::Timestamp;
use job_registry::{JobFilter, LogLine, WallClock};

use crate::stage::{Stage, rest, submission, within};

async fn ended(stage: &mut Stage) -> JobId {
    let (id, work) = stage.running().await;
    work.succeed();
    stage.ended(id).await;
    id
}

/// Waits until jobs that are to go have gone: what is asked of the scheduler now comes after it.
async fn settled(stage: &Stage) {
    let unknown = JobId::new(uuid::Uuid::from_u128(1));
    stage.registry.pause(unknown).await.unwrap();
}

async fn listed(stage: &Stage) -> Vec<JobId> {
    let page = stage.registry.list(&JobFilter::default()).await.unwrap();
    page.jobs.into_iter().map(|job| job.job_id).collect()
}

#[tokio::test]
async fn beyond_the_number_that_is_kept_the_job_that_ended_first_goes_first() {
    let mut stage = Stage::with(|settings| settings.keep_jobs = 2).await;
    let (first, long) = stage.running().await;
    let gone = ended(&mut stage).await;
    let (second, third) = (ended(&mut stage).await, ended(&mut stage).await);
    settled(&stage).await;
    assert_eq!(listed(&stage).await, [third, second, first]);
    assert!(stage.registry.get(gone).await.unwrap().is_none());
    long.succeed();
    stage.ended(first).await;
    settled(&stage).await;
    assert_eq!(listed(&stage).await, [third, first]);
    assert!(stage.registry.get(second).await.unwrap().is_none());
    assert!(stage.registry.watch(second, None).await.unwrap().is_none());
}

#[tokio::test]
async fn a_job_that_ended_long_ago_is_gone_after_the_next_start() {
    let seconds = Arc::new(AtomicI64::new(1_000_000));
    let clock = Arc::clone(&seconds);
    let mut stage = Stage::with(|settings| {
        settings.wall_clock =
            WallClock::new(move || Timestamp::from_second(clock.load(Ordering::Relaxed)).unwrap());
    })
    .await;
    let old = ended(&mut stage).await;
    let paused = stage.submit().await;
    let work = stage.started().await;
    stage.registry.pause(paused).await.unwrap();
    work.stop();
    seconds.fetch_add(7 * 24 * 60 * 60, Ordering::Relaxed);
    let young = ended(&mut stage).await;
    let stage = stage.crash().await;
    settled(&stage).await;
    assert_eq!(listed(&stage).await, [young, paused, old]);
    seconds.fetch_add(1, Ordering::Relaxed);
    let stage = stage.crash().await;
    settled(&stage).await;
    assert_eq!(listed(&stage).await, [young, paused]);
}

#[tokio::test]
async fn a_key_goes_with_its_job() {
    let mut stage = Stage::with(|settings| settings.keep_jobs = 1).await;
    let mut keyed = submission();
    keyed.idempotency_key = Some("key".to_owned());
    let first = stage.registry.submit(keyed.clone()).await.unwrap().job;
    stage.started().await.succeed();
    stage.ended(first.job_id).await;
    assert!(stage.registry.submit(keyed.clone()).await.unwrap().replayed);
    ended(&mut stage).await;
    settled(&stage).await;
    let again = stage.registry.submit(keyed).await.unwrap();
    assert!(!again.replayed);
}

#[tokio::test]
async fn who_watches_a_job_that_goes_gets_its_end_or_a_calm_end_of_the_stream() {
    let mut stage = Stage::with(|settings| settings.keep_jobs = 1).await;
    let (id, work) = stage.running().await;
    let mut near = stage.watch(id, None).await;
    let mut behind = stage.watch(id, Some("0")).await;
    within(behind.next()).await.unwrap();
    // More than memory keeps for watchers.
    for line in 0..200 {
        let line = LogLine::info(format!("Line {line}"));
        work.context.log(line).await.unwrap();
    }
    work.succeed();
    stage.ended(id).await;
    let near_end = rest(&mut near).await;
    assert_eq!(near_end.last().unwrap().event.name(), "succeeded");
    ended(&mut stage).await;
    settled(&stage).await;
    assert!(stage.registry.get(id).await.unwrap().is_none());
    assert!(rest(&mut behind).await.is_empty());
}

#[tokio::test]
async fn pages_go_on_where_they_were_when_jobs_have_gone_and_others_have_come() {
    let mut stage = Stage::with(|settings| settings.keep_jobs = 3).await;
    let mut jobs = Vec::new();
    for _ in 0..3 {
        jobs.insert(0, ended(&mut stage).await);
    }
    let first_page = JobFilter {
        limit: 1,
        ..JobFilter::default()
    };
    let page = stage.registry.list(&first_page).await.unwrap();
    assert_eq!(page.jobs[0].job_id, jobs[0]);
    // The two oldest and then all of the listed ones go; no later job takes a number that was seen.
    for gone in [2, 3] {
        for _ in 0..gone {
            ended(&mut stage).await;
        }
        settled(&stage).await;
        let next_page = JobFilter {
            cursor: page.next_cursor.clone(),
            ..JobFilter::default()
        };
        let rest = stage.registry.list(&next_page).await.unwrap();
        let rest: Vec<_> = rest.jobs.iter().map(|job| job.job_id).collect();
        assert!(rest.is_empty(), "{rest:?}");
    }
}

#[tokio::test]
async fn a_number_is_never_given_twice() {
    let clock = Arc::new(AtomicI64::new(1_000_000));
    let seconds = Arc::clone(&clock);
    let mut stage = Stage::with(|settings| {
        settings.wall_clock =
            WallClock::new(move || Timestamp::from_second(clock.load(Ordering::Relaxed)).unwrap());
    })
    .await;
    let before = [ended(&mut stage).await, ended(&mut stage).await];
    let cursor_of = async |stage: &Stage| {
        let filter = JobFilter {
            limit: 1,
            ..JobFilter::default()
        };
        stage.registry.list(&filter).await.unwrap().next_cursor
    };
    let cursor = cursor_of(&stage).await.unwrap();
    seconds.fetch_add(8 * 24 * 60 * 60, Ordering::Relaxed);
    let mut stage = stage.crash().await;
    settled(&stage).await;
    for gone in before {
        assert!(stage.registry.get(gone).await.unwrap().is_none());
    }
    ended(&mut stage).await;
    let filter = JobFilter {
        cursor: Some(cursor),
        ..JobFilter::default()
    };
    assert!(stage.registry.list(&filter).await.unwrap().jobs.is_empty());
}

#[tokio::test]
async fn the_database_does_not_grow_without_end() {
    let mut stage = Stage::with(|settings| settings.keep_jobs = 10).await;
    let bytes = |stage: &Stage| {
        let wal = stage.settings.database.with_extension("db-wal");
        let files = [&stage.settings.database, &wal];
        let length = |file: &std::path::PathBuf| file.metadata().map_or(0, |data| data.len());
        files.map(length)
    };
    let mut sizes = Vec::new();
    for _ in 0..6 {
        for _ in 0..60 {
            ended(&mut stage).await;
        }
        settled(&stage).await;
        sizes.push(bytes(&stage));
    }
    assert_eq!(listed(&stage).await.len(), 10);
    let [database, wal] = sizes[5];
    // What 60 jobs need is there after the first round; 300 more need nothing, and the WAL is begun anew at 4 MB.
    assert!(database <= sizes[0][0].max(1_000_000), "{sizes:?}");
    assert!(wal <= 8_388_608, "{sizes:?}");
}
