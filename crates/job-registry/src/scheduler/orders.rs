//! Every order in which things can happen to one job, searched to the end in the pure parts: whatever comes, in
//! sequences of any length, the promises about a job's life hold.

use std::collections::{HashSet, VecDeque};

use hive_api::{
    Job, JobId, JobResult, JobState, ModelDownload, ModelDownloaded, Operation, Phase, Priority,
    Problem, ProblemCode, SubmitJob,
};
use jiff::Timestamp;

use super::{
    entry::Entry,
    recovery::{CRASHES_UNTIL_FAILED, after_crash},
};
use crate::{
    Submission,
    change::{self, Change},
    transition::{
        Standing,
        Transition::{Publish, Refuse, Stay, To},
        Trigger, transition,
    },
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Start,
    Cancel,
    Pause,
    Resume,
    Publish,
    WaitForNetwork,
    GoOn,
    ReceiveBytes,
    Succeed,
    Fail,
    StopByItself,
    /// The hive crashes and starts again.
    Crash,
    /// The hive stops in order, in which the work ends with or without a result, and starts again.
    StopHive {
        succeeds: bool,
    },
}

const STEPS: [Step; 14] = [
    Step::Start,
    Step::Cancel,
    Step::Pause,
    Step::Resume,
    Step::Publish,
    Step::WaitForNetwork,
    Step::GoOn,
    Step::ReceiveBytes,
    Step::Succeed,
    Step::Fail,
    Step::StopByItself,
    Step::Crash,
    Step::StopHive { succeeds: false },
    Step::StopHive { succeeds: true },
];

/// What a cancel was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Cancel {
    None,
    /// It came in time.
    Acknowledged,
    /// The job was publishing.
    TooLate,
}

/// A job on its way, with what the promises are about.
#[derive(Clone)]
struct Way {
    job: Job,
    crashes: u32,
    /// Crashes since the last byte, counted here on its own.
    crashes_seen: u32,
    is_at_work: bool,
    cancel: Cancel,
    last_events: u32,
    steps: Vec<Step>,
}

impl Way {
    fn new() -> Self {
        let submission = Submission {
            request: SubmitJob {
                operation: Operation::ModelDownload(ModelDownload::default()),
                priority: Priority::Normal,
                limit_bytes_per_second: None,
            },
            submitted_by: "local".to_owned(),
            idempotency_key: None,
        };
        let id = JobId::new(uuid::Uuid::from_u128(1));
        Self {
            job: change::submitted(&submission, id, Timestamp::UNIX_EPOCH).job,
            crashes: 0,
            crashes_seen: 0,
            is_at_work: false,
            cancel: Cancel::None,
            last_events: 0,
            steps: Vec::new(),
        }
    }

    /// All that decides what can come.
    fn key(&self) -> (String, Option<String>, [u32; 3], bool, Cancel) {
        let phase = self.job.phase.as_ref().and_then(|phase| phase.known());
        (
            self.job.state.as_str().to_owned(),
            phase.map(|phase| phase.as_str().to_owned()),
            [self.crashes, self.crashes_seen, self.last_events],
            self.is_at_work,
            self.cancel,
        )
    }

    fn state(&self) -> JobState {
        *self.job.state.known().unwrap()
    }

    /// The way after this step; `None` where it cannot happen here.
    fn after(&self, step: Step) -> Option<Self> {
        let mut way = self.clone();
        way.steps.push(step);
        match step {
            Step::Start => {
                if self.is_at_work || !way.pull(Trigger::Start) {
                    return None;
                }
                way.is_at_work = true;
            }
            Step::Cancel => {
                let publishing = Standing::of(&self.job) == Standing::Publishing;
                way.pull(Trigger::Cancel);
                if !self.state().has_ended() {
                    way.cancel = if publishing {
                        Cancel::TooLate
                    } else {
                        Cancel::Acknowledged
                    };
                }
            }
            Step::Pause => {
                way.pull(Trigger::Pause);
            }
            Step::Resume => {
                way.pull(Trigger::Resume);
            }
            Step::Publish => way.tell(Phase::Publishing)?,
            Step::WaitForNetwork => way.tell(Phase::WaitingForNetwork)?,
            Step::GoOn => way.tell(Phase::Downloading)?,
            Step::ReceiveBytes => {
                way.is_at_work.then_some(())?;
                (way.crashes, way.crashes_seen) = (0, 0);
            }
            Step::Succeed => way.end_work(Trigger::WorkSucceeded)?,
            Step::Fail => way.end_work(Trigger::WorkFailed)?,
            Step::StopByItself => way.end_work(Trigger::WorkStopped)?,
            Step::Crash => {
                let waits = self.job.phase == Some(Phase::WaitingForNetwork.into());
                let runs = self.state() == JobState::Running;
                way.crashes_seen += u32::from(runs && !waits);
                way.restart();
            }
            Step::StopHive { succeeds } => {
                if self.is_at_work {
                    let end = if succeeds {
                        Trigger::WorkSucceeded
                    } else {
                        Trigger::HiveStopped
                    };
                    way.end_work(end)?;
                }
                way.restart();
            }
        }
        Some(way)
    }

    fn restart(&mut self) {
        self.is_at_work = false;
        let (crashes, change) = after_crash(&self.job, self.crashes, Timestamp::UNIX_EPOCH);
        self.crashes = crashes;
        if let Some(change) = change {
            self.take(change);
        }
    }

    /// Whether the job goes to another state.
    fn pull(&mut self, trigger: Trigger) -> bool {
        match transition(Standing::of(&self.job), trigger) {
            To(state) => {
                let outcome = match state {
                    JobState::Succeeded => Some(Ok(result())),
                    JobState::Failed => {
                        Some(Err(Problem::new(ProblemCode::Stalled, "no byte came")))
                    }
                    _ => None,
                };
                self.take(change::moved(
                    &self.job,
                    state,
                    outcome,
                    Timestamp::UNIX_EPOCH,
                ));
                true
            }
            Publish | Stay | Refuse => false,
        }
    }

    fn end_work(&mut self, trigger: Trigger) -> Option<()> {
        self.is_at_work.then_some(())?;
        assert!(self.pull(trigger), "{self:?}: the end of work is lost");
        self.is_at_work = false;
        Some(())
    }

    fn tell(&mut self, phase: Phase) -> Option<()> {
        self.is_at_work.then_some(())?;
        let standing = Standing::of(&self.job);
        let told = Entry::Phase(phase).change(&self.job, standing, Timestamp::UNIX_EPOCH);
        if let Ok(Some(change)) = told {
            self.take(change);
        }
        Some(())
    }

    fn take(&mut self, change: Change) {
        let Change { job, logged } = change;
        assert_eq!(job.sequence, self.job.sequence + 1, "{self:?}");
        assert_eq!(logged.sequence, job.sequence, "{self:?}");
        assert_eq!(
            logged.event.last().is_some(),
            job.state.has_ended(),
            "{self:?}"
        );
        self.last_events += u32::from(logged.event.last().is_some());
        self.job = job;
    }

    /// Holds the step that led here to the promises.
    fn check(&self, before: &Self) {
        use JobState::{Cancelled, Cancelling, Failed, Paused, Pausing, Succeeded};

        let (from, to) = (before.state(), self.state());
        let step = *self.steps.last().unwrap();
        assert!(self.last_events <= 1, "{self:?}: two last events");
        if from.has_ended() {
            assert_eq!(self.job, before.job, "{self:?}: changed after its end");
        }
        if self.cancel == Cancel::Acknowledged && !from.has_ended() {
            assert!(
                [Cancelling, Cancelled].contains(&to),
                "{self:?}: a cancel is lost"
            );
        }
        if before.cancel == Cancel::TooLate && to == Cancelled {
            assert_eq!(
                self.cancel,
                Cancel::Acknowledged,
                "{self:?}: a late cancel won"
            );
        }
        let ends_cancelling = !matches!(
            step,
            Step::Cancel
                | Step::Pause
                | Step::Resume
                | Step::Publish
                | Step::WaitForNetwork
                | Step::GoOn
                | Step::ReceiveBytes
        );
        match from {
            Cancelling if ends_cancelling => assert_eq!(to, Cancelled, "{self:?}"),
            Cancelling => assert_eq!(to, Cancelling, "{self:?}"),
            Pausing => assert!([Pausing, Paused, Cancelling].contains(&to), "{self:?}"),
            Paused if ![Step::Cancel, Step::Resume].contains(&step) => {
                assert_eq!(to, Paused, "{self:?}: a paused job is lost");
            }
            _ => {}
        }
        if !self.is_at_work {
            assert!(
                ![Cancelling, Pausing].contains(&to),
                "{self:?}: waits for nobody"
            );
        }
        assert_eq!(self.crashes, self.crashes_seen, "{self:?}");
        let exhausted = self.crashes == CRASHES_UNTIL_FAILED;
        assert!(self.crashes <= CRASHES_UNTIL_FAILED, "{self:?}");
        if exhausted && !from.has_ended() {
            let error = self.job.error.as_ref().unwrap();
            assert_eq!((to, step), (Failed, Step::Crash), "{self:?}");
            assert_eq!(error.code, ProblemCode::AttemptsExhausted.into());
        }
        if to == Succeeded {
            assert!(
                self.job.result.is_some() && self.job.error.is_none(),
                "{self:?}"
            );
        }
    }
}

impl std::fmt::Debug for Way {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "{:?} after {:?}",
            self.job.state.as_str(),
            self.steps
        )
    }
}

fn result() -> JobResult {
    JobResult::ModelDownload(ModelDownloaded {
        repo: "org/name".to_owned(),
        commit: "0".repeat(40),
        snapshot_path: "/store/snapshot".to_owned(),
        path: "/store/snapshot/model.gguf".to_owned(),
        files: 1,
        bytes_total: 10,
        bytes_received: 10,
    })
}

#[test]
fn whatever_happens_in_whatever_order_the_promises_about_a_job_hold() {
    let start = Way::new();
    let mut seen = HashSet::from([start.key()]);
    let mut reached = HashSet::new();
    let mut open = VecDeque::from([start]);
    while let Some(way) = open.pop_front() {
        reached.insert(way.state());
        for after in STEPS.into_iter().filter_map(|step| way.after(step)) {
            after.check(&way);
            if seen.insert(after.key()) {
                open.push_back(after);
            }
        }
    }
    assert_eq!(reached.len(), JobState::ALL.len(), "{reached:?}");
}
