//! Live figures and committed state do not overwrite each other, and ends are remembered for a while.

use std::sync::Arc;

use hive_api::{JobId, JobState, ModelDownload, Operation, Priority, Progress, SubmitJob};

use super::{LiveJob, LiveJobs, RECENT_ENDS};
use crate::{Submission, WallClock, change};

fn running() -> LiveJob {
    let submission = Submission {
        request: SubmitJob {
            operation: Operation::ModelDownload(ModelDownload::default()),
            priority: Priority::Normal,
            limit_bytes_per_second: None,
        },
        submitted_by: "local".to_owned(),
        idempotency_key: None,
    };
    let (clock, id) = (WallClock::system(), JobId::new(uuid::Uuid::now_v7()));
    let submitted = change::submitted(&submission, id, clock.now());
    let live = LiveJob::new(1, submitted.job, clock.clone());
    live.publish(change::moved(
        &live.job(),
        JobState::Running,
        None,
        clock.now(),
    ));
    live
}

fn figures(bytes_done: u64) -> Progress {
    Progress {
        bytes_done,
        ..Progress::default()
    }
}

#[test]
fn figures_that_come_during_a_commit_are_kept() {
    let live = running();
    live.report_progress(1, figures(1));
    let now = WallClock::system().now();
    let cancelling = change::moved(&live.job(), JobState::Cancelling, None, now);
    live.report_progress(1, figures(2));
    live.publish(cancelling);
    assert_eq!(live.job().progress.bytes_done, 2);
    assert_eq!(live.heartbeat().bytes_done, 2);
}

#[test]
fn late_figures_of_work_that_is_over_are_dropped() {
    let live = running();
    let now = WallClock::system().now();
    live.publish(change::moved(&live.job(), JobState::Paused, None, now));
    live.report_progress(1, figures(1));
    live.publish(change::moved(&live.job(), JobState::Queued, None, now));
    live.publish(change::moved(&live.job(), JobState::Running, None, now));
    live.report_progress(1, figures(1));
    live.report_partial_bytes_kept(1, 1);
    assert_eq!(live.job().progress.bytes_done, 0);
    assert_eq!(live.job().partial_bytes_kept, 0);
    live.report_progress(2, figures(3));
    assert_eq!(live.job().progress.bytes_done, 3);
}

#[test]
fn memory_says_when_it_does_not_reach_back_far_enough() {
    let live = running();
    assert_eq!(live.recent_after(0), None);
    let recent = live.recent_after(1).unwrap();
    assert_eq!(recent.len(), 1);
    assert_eq!(recent[0].sequence, 2);
    assert_eq!(live.recent_after(2), Some(Vec::new()));
}

#[test]
fn a_reader_that_missed_more_ends_than_are_kept_is_told_so() {
    let jobs = LiveJobs::default();
    let end_one = || {
        let live = Arc::new(running());
        jobs.insert(Arc::clone(&live));
        let now = WallClock::system().now();
        live.publish(change::moved(&live.job(), JobState::Cancelled, None, now));
        jobs.settle(&live);
        live.id()
    };
    let first = end_one();
    assert_eq!(jobs.ended_after(0), Some(vec![first]));
    assert_eq!(jobs.ended_after(1), Some(vec![]));
    for _ in 0..RECENT_ENDS {
        end_one();
    }
    assert_eq!(jobs.ended_after(0), None);
    assert_eq!(
        jobs.ended_after(1).map(|ended| ended.len()),
        Some(RECENT_ENDS)
    );
}
