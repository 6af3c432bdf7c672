//! Any number of watchers see one committed sequence, can leave and come back, and hear of a silent job.

use std::time::Duration;

use hive_api::{Event, JobId, JobState, Phase, Progress};
use job_registry::{JobWatch, LastEventId, LogLine, WatchStart};

use crate::stage::{Stage, Started, logged, rest, state, within};

async fn snapshot(watch: &mut JobWatch) -> (u64, hive_api::Snapshot) {
    let frame = within(watch.next()).await.unwrap();
    match frame.event {
        Event::Snapshot(snapshot) => (frame.id, *snapshot),
        other => panic!("a {} came first", other.name()),
    }
}

async fn tell_a_story(work: &Started) {
    work.context.phase(Phase::Resolving).await.unwrap();
    work.context
        .log(
            LogLine::warning("No byte for 30 s")
                .with_code("stalled")
                .with_try(2),
        )
        .await
        .unwrap();
    work.context.phase(Phase::Downloading).await.unwrap();
}

async fn told_and_ended(stage: &mut Stage) -> JobId {
    let (id, work) = stage.running().await;
    tell_a_story(&work).await;
    work.succeed();
    stage.ended(id).await;
    id
}

#[tokio::test]
async fn two_watchers_see_the_same_sequence_and_one_last_event() {
    let mut stage = Stage::new().await;
    let (id, work) = stage.running().await;
    let mut first = stage.watch(id, None).await;
    let mut second = stage.watch(id, None).await;
    assert_eq!(snapshot(&mut first).await.0, 2);
    assert_eq!(snapshot(&mut second).await.0, 2);
    tell_a_story(&work).await;
    work.succeed();
    let (first, second) = (rest(&mut first).await, rest(&mut second).await);
    assert_eq!(first, second);
    let names = ["phase", "log", "phase", "succeeded"];
    let expected: Vec<_> = (3..).zip(names.map(str::to_owned)).collect();
    assert_eq!(logged(&first), expected);
}

#[tokio::test]
async fn a_reader_that_comes_back_gets_exactly_the_rest() {
    let mut stage = Stage::new().await;
    let id = told_and_ended(&mut stage).await;
    let whole = logged(&rest(&mut stage.watch(id, Some("0")).await).await);
    assert_eq!(whole.len(), 6);
    for last in 0..6 {
        let mut watch = stage.watch(id, Some(&last.to_string())).await;
        let (at, snapshot) = snapshot(&mut watch).await;
        assert_eq!((at, snapshot.resumed), (last, None));
        let missed = logged(&rest(&mut watch).await);
        assert_eq!(missed, whole[usize::try_from(last).unwrap()..]);
    }
    let at_end = stage.registry.watch(id, Some(LastEventId::parse("6")));
    assert!(matches!(at_end.await.unwrap(), Some(WatchStart::AtEnd)));
}

#[tokio::test]
async fn an_ended_job_gives_a_fresh_reader_its_snapshot_and_its_last_event() {
    let mut stage = Stage::new().await;
    let id = told_and_ended(&mut stage).await;
    let mut watch = stage.watch(id, None).await;
    let (_, snapshot) = snapshot(&mut watch).await;
    assert_eq!(state(&snapshot.job), JobState::Succeeded);
    assert_eq!(snapshot.resumed, None);
    let last = rest(&mut watch).await;
    assert_eq!(logged(&last), [(6, "succeeded".to_owned())]);
    assert_eq!(last[0].event.last(), Some(&snapshot.job));
}

#[tokio::test]
async fn an_id_that_cannot_be_honoured_gets_a_fresh_snapshot_that_says_so() {
    let mut stage = Stage::new().await;
    let (id, _work) = stage.running().await;
    for unusable in ["nonsense", "-1", "+1", "0x1", "1 1", "99", ""] {
        let mut watch = stage.watch(id, Some(unusable)).await;
        let (at, snapshot) = snapshot(&mut watch).await;
        assert_eq!((at, snapshot.resumed), (2, Some(false)), "{unusable}");
    }
}

#[tokio::test]
async fn old_log_lines_go_and_transitions_stay() {
    let mut stage = Stage::with(|settings| settings.log_lines_kept = 10).await;
    let (id, work) = stage.running().await;
    work.context.phase(Phase::Resolving).await.unwrap();
    for line in 0..500 {
        let line = LogLine::info(format!("Line {line}"));
        work.context.log(line).await.unwrap();
    }
    work.succeed();
    stage.ended(id).await;
    let stage = stage.crash().await;
    let (_, snapshot) = snapshot(&mut stage.watch(id, Some("3")).await).await;
    assert_eq!(snapshot.resumed, Some(false));
    let kept = rest(&mut stage.watch(id, Some("503")).await).await;
    assert_eq!(logged(&kept), [(504, "succeeded".to_owned())]);
}

#[tokio::test]
async fn a_watcher_that_falls_far_behind_still_gets_every_event() {
    let mut stage = Stage::new().await;
    let (id, work) = stage.running().await;
    let mut watch = stage.watch(id, None).await;
    snapshot(&mut watch).await;
    for line in 0..600 {
        let line = LogLine::info(format!("Line {line}"));
        within(work.context.log(line)).await.unwrap();
    }
    work.succeed();
    let seen = logged(&rest(&mut watch).await);
    let numbers: Vec<_> = seen.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, (3..=603).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_silent_job_is_heard_of_every_five_seconds_queued_or_running() {
    let mut stage = Stage::with(|settings| settings.max_running = 1).await;
    let (running, _work) = stage.running().await;
    let queued = stage.submit().await;
    let mut watches = [
        stage.watch(running, None).await,
        stage.watch(queued, None).await,
    ];
    // From here on nothing asks the database, so the paused clock runs only for the watches.
    tokio::time::pause();
    for watch in &mut watches {
        snapshot(watch).await;
        let begun = tokio::time::Instant::now();
        for beat in 1..=3 {
            let frame = watch.next().await.unwrap();
            let Event::Heartbeat(heartbeat) = frame.event else {
                panic!("a {} came", frame.event.name());
            };
            assert!(begun.elapsed() <= Duration::from_secs(5 * beat) + Duration::from_millis(10));
            assert!(heartbeat.idle_seconds >= 5 * (beat - 1));
        }
    }
}

#[tokio::test]
async fn progress_is_latest_wins_and_comes_at_most_four_times_a_second() {
    let mut stage = Stage::new().await;
    let (id, work) = stage.running().await;
    let mut watch = stage.watch(id, None).await;
    tokio::time::pause();
    snapshot(&mut watch).await;
    let begun = tokio::time::Instant::now();
    let mut seen = Vec::new();
    for bytes_done in 1..=100 {
        work.context.progress(Progress {
            bytes_done,
            ..Progress::default()
        });
        let step = Duration::from_millis(10);
        if let Ok(Some(frame)) = tokio::time::timeout(step, watch.next()).await {
            assert!(matches!(frame.event, Event::Progress(_)));
            seen.push(begun.elapsed());
        }
    }
    assert!((2..=5).contains(&seen.len()), "{seen:?}");
    let frame = within(watch.next()).await.unwrap();
    let Event::Progress(progress) = frame.event else {
        panic!("a {} came", frame.event.name());
    };
    assert_eq!((frame.id, progress.bytes_done), (2, 100));
    let job = stage.registry.get(id).await.unwrap().unwrap();
    assert_eq!(job.progress.bytes_done, 100);
}

#[tokio::test]
async fn figures_are_kept_with_the_next_change_and_come_to_rest_at_the_end() {
    let mut stage = Stage::new().await;
    let (id, work) = stage.running().await;
    work.context.progress(Progress {
        bytes_done: 7,
        bytes_per_second: 3,
        ..Progress::default()
    });
    work.context.partial_bytes_kept(5);
    let late = work.context.clone();
    work.fail();
    let job = stage.ended(id).await;
    assert_eq!(
        (job.progress.bytes_done, job.progress.bytes_per_second),
        (7, 0)
    );
    assert_eq!(job.partial_bytes_kept, 5);
    late.progress(Progress::default());
    assert_eq!(stage.registry.get(id).await.unwrap(), Some(job));
}

#[tokio::test]
async fn waiting_returns_as_soon_as_the_job_is_past_the_number() {
    let mut stage = Stage::new().await;
    let (id, work) = stage.running().await;
    let at_once = within(stage.registry.wait_past(id, 1))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(at_once.sequence, 2);
    let (later, told) = tokio::join!(
        within(stage.registry.wait_past(id, 2)),
        work.context.phase(Phase::Resolving)
    );
    told.unwrap();
    assert_eq!(later.unwrap().unwrap().sequence, 3);
    work.succeed();
    let ended = within(stage.registry.wait_past(id, 1_000)).await;
    assert_eq!(state(&ended.unwrap().unwrap()), JobState::Succeeded);
}

#[tokio::test]
async fn watches_end_when_the_registry_is_shut_down() {
    let mut stage = Stage::new().await;
    let (id, work) = stage.running().await;
    let mut watch = stage.watch(id, None).await;
    snapshot(&mut watch).await;
    let registry = stage.registry.clone();
    let stopping = tokio::task::JoinSet::from_iter([async move { registry.shut_down().await }]);
    work.told_to_stop().await;
    work.stop();
    within(stopping.join_all()).await;
    let told = logged(&rest(&mut watch).await);
    assert_eq!(told, [(3, "state".to_owned())]);
}
