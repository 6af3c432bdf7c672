//! A job is durable before its submitter hears of it, and a repeated submission is the same job.

use std::{
    collections::HashSet,
    os::unix::fs::PermissionsExt,
    sync::{Arc, atomic::AtomicI64, atomic::Ordering},
};

use hive_api::JobState;
use jiff::Timestamp;
use job_registry::{JobFilter, OpenError, SubmitError, WallClock};

use crate::stage::{Stage, file_names, submission, within};

#[tokio::test]
async fn an_accepted_job_is_there_after_a_crash() {
    let stage = Stage::new().await;
    let id = stage.submit().await;
    let stage = stage.crash().await;
    assert!(stage.registry.get(id).await.unwrap().is_some());
}

#[tokio::test]
async fn a_job_starts_without_a_watcher_and_succeeds_with_its_result() {
    let mut stage = Stage::new().await;
    let (id, work) = stage.running().await;
    assert_eq!(stage.state(id).await, JobState::Running);
    work.succeed();
    let job = stage.ended(id).await;
    assert_eq!(job.state.known(), Some(&JobState::Succeeded));
    assert_eq!(job.attempt, 1);
    assert!(job.result.is_some() && job.finished_at.is_some() && job.error.is_none());
    assert_eq!(stage.registry.get(id).await.unwrap(), Some(job));
}

#[tokio::test]
async fn work_that_panics_fails_its_job_and_no_other() {
    let mut stage = Stage::new().await;
    let (id, work) = stage.running().await;
    let (other, other_work) = stage.running().await;
    work.panic();
    let job = stage.ended(id).await;
    assert_eq!(job.state.known(), Some(&JobState::Failed));
    let code = job.error.unwrap().code;
    assert_eq!(code.known(), Some(&hive_api::ProblemCode::Internal));
    other_work.succeed();
    let other = stage.ended(other).await;
    assert_eq!(other.state.known(), Some(&JobState::Succeeded));
}

#[tokio::test]
async fn work_that_stops_without_being_told_to_has_failed() {
    let mut stage = Stage::new().await;
    let (id, work) = stage.running().await;
    work.stop();
    assert_eq!(stage.ended(id).await.state.known(), Some(&JobState::Failed));
}

#[tokio::test]
async fn a_hundred_submissions_with_one_key_are_one_job() {
    let stage = Stage::new().await;
    let mut submissions = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let registry = stage.registry.clone();
        submissions.spawn(async move {
            let mut submission = submission();
            submission.idempotency_key = Some("key".to_owned());
            registry.submit(submission).await.unwrap()
        });
    }
    let submitted = within(submissions.join_all()).await;
    let ids: HashSet<_> = submitted.iter().map(|each| each.job.job_id).collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(submitted.iter().filter(|each| !each.replayed).count(), 1);
}

#[tokio::test]
async fn a_key_belongs_to_its_body_and_its_principal() {
    let stage = Stage::new().await;
    let mut first = submission();
    first.idempotency_key = Some("key".to_owned());
    let job = stage.registry.submit(first.clone()).await.unwrap().job;

    let mut other_body = first.clone();
    other_body.request.limit_bytes_per_second = Some(1);
    let refused = stage.registry.submit(other_body).await;
    assert!(matches!(refused, Err(SubmitError::KeyReused)));

    let mut other_principal = first.clone();
    other_principal.submitted_by = "laptop".to_owned();
    let other = stage.registry.submit(other_principal).await.unwrap();
    assert!(!other.replayed);
    assert_ne!(other.job.job_id, job.job_id);
}

#[tokio::test]
async fn t19_no_more_unfinished_jobs_than_allowed_are_taken_and_a_repeated_submission_is_answered()
{
    let stage = Stage::with(|settings| settings.max_unfinished = 2).await;
    let mut first = submission();
    first.idempotency_key = Some("key".to_owned());
    let job = stage.registry.submit(first.clone()).await.unwrap().job;
    stage.submit().await;
    let stage = stage.crash().await;
    let refused = stage.registry.submit(submission()).await;
    assert!(matches!(
        refused,
        Err(SubmitError::TooMany { unfinished: 2 })
    ));
    let again = stage.registry.submit(first).await.unwrap();
    assert!(again.replayed);
    assert_eq!(again.job.job_id, job.job_id);
}

#[tokio::test]
async fn t19_a_job_that_ends_makes_room_for_another() {
    let mut stage = Stage::with(|settings| settings.max_unfinished = 1).await;
    let (id, work) = stage.running().await;
    assert!(stage.registry.submit(submission()).await.is_err());
    work.succeed();
    stage.ended(id).await;
    stage.running().await;
}

#[tokio::test]
async fn a_key_is_honoured_across_a_crash_and_for_a_day() {
    let seconds = Arc::new(AtomicI64::new(1_000_000));
    let clock = Arc::clone(&seconds);
    let stage = Stage::with(|settings| {
        settings.wall_clock =
            WallClock::new(move || Timestamp::from_second(clock.load(Ordering::Relaxed)).unwrap());
    })
    .await;
    let mut first = submission();
    first.idempotency_key = Some("key".to_owned());
    let job = stage.registry.submit(first.clone()).await.unwrap().job;

    let stage = stage.crash().await;
    seconds.fetch_add(24 * 60 * 60, Ordering::Relaxed);
    let again = stage.registry.submit(first.clone()).await.unwrap();
    assert!(again.replayed);
    assert_eq!(again.job.job_id, job.job_id);

    seconds.fetch_add(1, Ordering::Relaxed);
    let next_day = stage.registry.submit(first).await.unwrap();
    assert!(!next_day.replayed);
}

#[tokio::test]
async fn nobody_else_can_read_the_database() {
    let stage = Stage::new().await;
    stage.submit().await;
    let files = file_names(&stage.folder);
    assert!(files.len() >= 2, "the database and its WAL: {files:?}");
    for file in files {
        let mode = file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", file.display());
    }
}

#[tokio::test]
async fn a_newer_or_damaged_database_is_refused_and_left_as_it_is() {
    let run: job_registry::RunJob =
        Arc::new(|_| Box::pin(async { Err(job_registry::Stopped.into()) }));
    let stage = Stage::new().await;
    stage.registry.shut_down().await;
    let sound = std::fs::read(&stage.settings.database).unwrap();

    // The user version stands at offset 60, big-endian (https://www.sqlite.org/fileformat2.html).
    let mut bytes = sound.clone();
    bytes[60..64].copy_from_slice(&99_u32.to_be_bytes());
    std::fs::write(&stage.settings.database, &bytes).unwrap();
    let opened = job_registry::JobRegistry::open(stage.settings.clone(), Arc::clone(&run)).await;
    assert!(matches!(opened, Err(OpenError::Newer { found: 99, .. })));

    bytes.clone_from(&sound);
    bytes[4096..8192].fill(0xa5);
    std::fs::write(&stage.settings.database, &bytes).unwrap();
    let opened = job_registry::JobRegistry::open(stage.settings.clone(), Arc::clone(&run)).await;
    assert!(matches!(opened, Err(OpenError::Damaged { .. })));

    bytes = sound;
    bytes[..16].fill(b'x');
    std::fs::write(&stage.settings.database, &bytes).unwrap();
    let opened = job_registry::JobRegistry::open(stage.settings.clone(), run).await;
    assert!(matches!(opened, Err(OpenError::Damaged { .. })));
    assert_eq!(std::fs::read(&stage.settings.database).unwrap(), bytes);
}

#[tokio::test]
async fn t25_a_database_with_any_bit_turned_is_refused_or_has_its_jobs() {
    let stage = Stage::with(|settings| settings.max_running = 1).await;
    for _ in 0..20 {
        stage.submit().await;
    }
    let Stage {
        registry,
        starts,
        settings,
        folder,
        ..
    } = stage;
    drop(starts);
    within(registry.shut_down()).await;
    let sound = std::fs::read(&settings.database).unwrap();
    let idle: job_registry::RunJob = Arc::new(|context| {
        Box::pin(async move {
            context.cancellation().cancelled().await;
            Err(job_registry::Stopped.into())
        })
    });
    let mut refused = 0;
    for turn in 0..64 {
        // Every part of the file, and each bit of a byte; the same ones each time.
        let at = turn * sound.len() / 64 + turn * 7;
        let mut bytes = sound.clone();
        bytes[at % sound.len()] ^= 1 << (turn % 8);
        for file in file_names(&folder) {
            std::fs::remove_file(file).unwrap();
        }
        std::fs::write(&settings.database, &bytes).unwrap();
        let opening = job_registry::JobRegistry::open(settings.clone(), Arc::clone(&idle));
        let Ok(registry) = within(opening).await else {
            refused += 1;
            let left = std::fs::read(&settings.database).unwrap();
            assert_eq!(left.len(), sound.len(), "turn {turn}: it stays");
            continue;
        };
        let all = JobFilter {
            limit: 1_000,
            ..JobFilter::default()
        };
        // A job that cannot be read any more is said so.
        if let Ok(page) = within(registry.list(&all)).await {
            assert_eq!(page.jobs.len(), 20, "turn {turn} at {at}");
        }
        within(registry.shut_down()).await;
    }
    assert!(refused > 0, "damage is seen");
}
