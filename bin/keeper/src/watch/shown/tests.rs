//! What a job's line says at each point of its life.

use hive_api::{Heartbeat, JobId, LeftOut, PhaseEvent, Progress, Snapshot, StateEvent};
use jiff::Timestamp;
use uuid::Uuid;

use super::*;
use crate::commands::tests::job;
use crate::hives::{Config, choose};

fn gpu1() -> Hive {
    let local = choose(None, &Config::default(), &|_: &str| None).unwrap();
    Hive::connect(
        &local,
        &hive_client::Endpoint::UnixSocket("/nowhere".into()),
    )
    .unwrap()
}

fn shown() -> (Shown, Instant) {
    let now = Instant::now();
    let mut shown = Shown::new(&gpu1(), "download a/b", now);
    shown.job = Some(job(JobId::new(Uuid::from_u128(0x9f_3c41))));
    (shown, now)
}

fn after(now: Instant, seconds: u64) -> Instant {
    now + Duration::from_secs(seconds)
}

fn at() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

fn plan() -> PlanSummary {
    PlanSummary {
        repo: "a/b".into(),
        revision: "main".into(),
        commit: "0".repeat(40),
        selector: None,
        files_total: 1,
        shards: 0,
        bytes_total: Some(1),
        bytes_reused: 0,
        bytes_to_fetch: Some(1),
        free_bytes_afterwards: None,
        left_out: LeftOut::default(),
        others: Vec::new(),
    }
}

fn log(level: LogLevel, code: Option<&str>, plan: Option<PlanSummary>) -> Event {
    Event::Log(Box::new(LogEvent {
        sequence: 3,
        at: at(),
        level: level.into(),
        message: "file 3 of 3: no byte for 30 s".into(),
        code: code.map(str::to_owned),
        try_number: None,
        plan,
    }))
}

#[test]
fn a_download_says_how_far_it_is_and_when_the_last_byte_came() {
    let (mut shown, now) = shown();
    let progress = Progress {
        bytes_done: 34_200_000_000,
        bytes_total: Some(142_300_000_000),
        bytes_per_second: 116_000_000,
        eta_seconds: Some(960),
        ..Progress::default()
    };
    assert!(
        shown
            .absorb(&Event::Progress(Box::new(progress)), now)
            .is_empty()
    );
    assert_eq!(
        shown.status(now),
        "downloading 24.0 %, 34.2 of 142.3 GB, 116 MB/s, 16 min left, last byte 0 s"
    );
    let heartbeat = Heartbeat {
        elapsed_seconds: 60,
        idle_seconds: 12,
        bytes_done: 0,
    };
    let _ = shown.absorb(&Event::Heartbeat(heartbeat), now);
    assert!(shown.status(after(now, 3)).ends_with("last byte 15 s"));
}

#[test]
fn an_unknown_size_is_left_out_and_not_guessed() {
    let (mut shown, now) = shown();
    let progress = Progress {
        bytes_done: 34_200_000_000,
        ..Progress::default()
    };
    let _ = shown.absorb(&Event::Progress(Box::new(progress)), now);
    assert_eq!(
        shown.status(now),
        "downloading 34.2 GB, 0 B/s, last byte 0 s"
    );
}

#[test]
fn other_states_and_phases_say_how_long_they_last() {
    let (mut shown, now) = shown();
    let phase = |phase: Open<Phase>| {
        Event::Phase(PhaseEvent {
            sequence: 2,
            at: at(),
            phase,
        })
    };
    let _ = shown.absorb(&phase(Phase::Resolving.into()), now);
    let later = after(now, 12);
    assert_eq!(
        shown.status(later),
        "asking the Hub for the revision for 12 s"
    );
    let _ = shown.absorb(&phase(Open::Unknown("warming_up".into())), now);
    assert_eq!(shown.status(later), "warming up for 12 s");
    let state = StateEvent {
        sequence: 3,
        at: at(),
        state: JobState::Cancelling.into(),
        attempt: 1,
    };
    let _ = shown.absorb(&Event::State(state), now);
    assert_eq!(shown.status(later), "cancelling for 12 s");
}

#[test]
fn a_queued_job_says_its_place() {
    let (mut shown, now) = shown();
    let mut queued = job(JobId::new(Uuid::from_u128(1)));
    queued.state = JobState::Queued.into();
    queued.queue_position = Some(2);
    let snapshot = Snapshot {
        job: queued,
        resumed: None,
    };
    let _ = shown.absorb(&Event::Snapshot(Box::new(snapshot)), now);
    assert_eq!(shown.status(now), "queued, place 2");
}

#[test]
fn a_place_that_was_asked_for_is_shown_while_the_job_is_queued() {
    let (mut shown, now) = shown();
    let mut asked = shown.job.clone().unwrap();
    asked.state = JobState::Queued.into();
    asked.queue_position = Some(3);
    shown.place(&asked);
    assert!(shown.status(now).starts_with("downloading"));
    assert!(!shown.waits_for_a_slot());

    let _ = shown.absorb(&moved_to(JobState::Queued), now);
    assert_eq!(shown.status(now), "queued");
    assert!(shown.waits_for_a_slot());
    shown.place(&asked);
    assert_eq!(shown.status(now), "queued, place 3");
}

fn moved_to(state: JobState) -> Event {
    Event::State(StateEvent {
        sequence: 3,
        at: at(),
        state: state.into(),
        attempt: 1,
    })
}

#[test]
fn a_pause_and_its_end_are_told_once_and_nothing_of_before_is_shown_as_going_on() {
    let (mut shown, now) = shown();
    let progress = Progress {
        bytes_per_second: 116_000_000,
        eta_seconds: Some(960),
        ..Progress::default()
    };
    let _ = shown.absorb(&Event::Progress(Box::new(progress)), now);
    assert!(shown.absorb(&moved_to(JobState::Pausing), now).is_empty());
    assert_eq!(shown.status(after(now, 2)), "pausing for 2 s");
    assert_eq!(
        shown.absorb(&moved_to(JobState::Paused), now),
        [Word::Paused]
    );
    assert!(shown.absorb(&moved_to(JobState::Paused), now).is_empty());
    assert_eq!(shown.status(after(now, 90)), "paused for 90 s");

    assert_eq!(
        shown.absorb(&moved_to(JobState::Queued), now),
        [Word::Resumed]
    );
    assert!(shown.absorb(&moved_to(JobState::Running), now).is_empty());
    assert_eq!(shown.status(after(now, 2)), "running for 2 s");
    let job = shown.job.unwrap();
    assert_eq!((job.phase, job.progress.bytes_per_second), (None, 0));
}

#[test]
fn one_who_begins_to_watch_a_paused_job_is_told_and_its_cancel_is_no_resume() {
    let (mut shown, now) = shown();
    let mut paused = job(JobId::new(Uuid::from_u128(1)));
    paused.state = JobState::Paused.into();
    let snapshot = Snapshot {
        job: paused,
        resumed: None,
    };
    let words = shown.absorb(&Event::Snapshot(Box::new(snapshot)), now);
    assert_eq!(words, [Word::Paused]);
    let words = shown.absorb(&moved_to(JobState::Cancelling), now);
    assert!(words.is_empty());
}

#[test]
fn a_lost_connection_says_since_when() {
    let (mut shown, now) = shown();
    assert!(shown.lost(false, now));
    assert!(!shown.lost(false, after(now, 5)));
    assert_eq!(
        shown.status(after(now, 40)),
        "not connected for 40 s, the job goes on, trying again"
    );
}

#[test]
fn a_connection_that_is_back_says_whether_events_were_missed() {
    for (resumed, missed) in [(None, false), (Some(true), false), (Some(false), true)] {
        let (mut shown, now) = shown();
        assert!(shown.lost(false, now));
        let time = Duration::from_secs(14);
        shown.reconnected(time);
        let snapshot = Snapshot {
            job: job(JobId::new(Uuid::from_u128(1))),
            resumed,
        };
        let words = shown.absorb(&Event::Snapshot(Box::new(snapshot)), now);
        assert_eq!(
            words,
            [Word::Reconnected {
                after: time,
                missed
            }]
        );
    }
}

#[test]
fn the_plan_is_told_once_whether_it_comes_as_a_line_or_with_the_snapshot() {
    let (mut shown, now) = shown();
    let planned = [Word::Planned(Box::new(plan()))];
    assert_eq!(
        shown.absorb(&log(LogLevel::Info, Some("planned"), Some(plan())), now),
        planned
    );
    let mut with_plan = job(JobId::new(Uuid::from_u128(1)));
    with_plan.plan = Some(plan());
    let snapshot = || {
        Event::Snapshot(Box::new(Snapshot {
            job: with_plan.clone(),
            resumed: None,
        }))
    };
    assert!(shown.absorb(&snapshot(), now).is_empty());
    let mut late = Shown::new(&gpu1(), "download a/b", now);
    assert_eq!(late.absorb(&snapshot(), now), planned);
}

#[test]
fn warnings_are_told_and_what_the_figures_show_is_not() {
    let (mut shown, now) = shown();
    let said = "file 3 of 3: no byte for 30 s".to_owned();
    assert_eq!(
        shown.absorb(&log(LogLevel::Warning, Some("stalled"), None), now),
        [Word::Log(LogLevel::Warning, said)]
    );
    assert!(
        shown
            .absorb(&log(LogLevel::Info, Some("file_verified"), None), now)
            .is_empty()
    );
    assert!(
        shown
            .absorb(&log(LogLevel::Debug, None, None), now)
            .is_empty()
    );
}
