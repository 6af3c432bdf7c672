//! Starting the work of jobs, and recording what it came to.

use std::{any::Any, panic::AssertUnwindSafe, sync::Arc};

use futures_util::FutureExt;
use hive_api::{Job, JobResult, JobState, Problem, ProblemCode};
use tokio::{task::JoinError, time::sleep};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::{
    JobContext, RegistryError, WorkError, change,
    live::LiveJob,
    scheduler::{Scheduler, TRY_AGAIN_AFTER, story::report},
    transition::{Standing, Transition, Trigger, transition},
};

/// Why the scheduler wakes besides a request.
#[derive(Debug)]
pub(crate) enum Woken {
    /// The work of a job has ended: nothing of it runs any more.
    Ended(WorkEnd),
    /// It is time to try again what the database refused.
    TryAgain,
}

/// How one start of a job ended.
#[derive(Debug)]
pub(crate) struct WorkEnd {
    live: Arc<LiveJob>,
    attempt: u32,
    outcome: Result<JobResult, WorkError>,
}

impl Scheduler {
    /// Starts jobs in their turn while slots are free.
    pub(super) async fn start_queued(&mut self) {
        while !self.tries_again && self.tokens.len() < self.shared.settings.max_running.max(1) {
            let Some(live) = self.shared.live.next_in_queue() else {
                return;
            };
            if let Err(error) = self.start(&live).await {
                report(live.id(), &error);
                self.try_again_later();
                return;
            }
        }
    }

    /// Lets starts wait for a moment, and cancels that are not recorded be tried again before the next start.
    pub(super) fn try_again_later(&mut self) {
        if !self.tries_again && !self.stopping.is_cancelled() {
            self.tries_again = true;
            self.work.spawn(async {
                sleep(TRY_AGAIN_AFTER).await;
                Woken::TryAgain
            });
        }
    }

    async fn start(&mut self, live: &Arc<LiveJob>) -> Result<(), RegistryError> {
        let mut draft = self.logbook.draft(live.job());
        let before = &draft.before;
        let Some(operation) = before.operation.known() else {
            return Err(RegistryError::Conflict);
        };
        let Transition::To(state) = transition(Standing::of(before), Trigger::Start) else {
            return Err(RegistryError::Conflict);
        };
        let change = change::moved(before, state, None, self.now());
        let cancellation = CancellationToken::new();
        let context = JobContext {
            operation: Arc::new(operation.clone()),
            attempt: change.job.attempt,
            cancellation: cancellation.clone(),
            live: Arc::clone(live),
            requests: self.requests.clone(),
        };
        draft.add(change);
        self.commit(live, draft).await?;
        self.tokens.insert(live.id(), cancellation);
        self.spawn(context);
        Ok(())
    }

    fn spawn(&mut self, context: JobContext) {
        let (live, attempt) = (Arc::clone(&context.live), context.attempt);
        let span = tracing::info_span!("job", job.id = %live.id(), job.attempt = attempt);
        let run = Arc::clone(&self.run);
        let work = async move {
            let work = AssertUnwindSafe(async move { run(context).await }).catch_unwind();
            let outcome = work
                .await
                .unwrap_or_else(|panic| Err(panicked(panic.as_ref()).into()));
            Woken::Ended(WorkEnd {
                live,
                attempt,
                outcome,
            })
        };
        self.work.spawn(work.instrument(span));
    }

    pub(super) async fn wake(&mut self, woken: Result<Woken, JoinError>) {
        match woken {
            Ok(Woken::Ended(end)) => {
                self.tokens.remove(&end.live.id());
                if let Err(error) = self.record_end(&end).await {
                    report(end.live.id(), &error);
                    self.record_end_later(end);
                }
            }
            Ok(Woken::TryAgain) => {
                self.tries_again = false;
                self.record_cancels().await;
            }
            // The tasks catch the panics of the work and nobody aborts them.
            Err(error) => tracing::error!(
                error = &error as &dyn std::error::Error,
                "a task of the scheduler was lost"
            ),
        }
    }

    async fn record_end(&mut self, end: &WorkEnd) -> Result<(), RegistryError> {
        if self.unrecorded_cancels.contains(&end.live.id()) {
            self.ask(end.live.id(), Trigger::Cancel).await?;
        }
        let mut draft = self.logbook.draft(end.live.job());
        let before = draft.latest();
        if before.attempt != end.attempt {
            return Ok(());
        }
        let trigger = match &end.outcome {
            Ok(_) => Trigger::WorkSucceeded,
            // Whatever it says, a stop of the hive ended it, and it goes on at the next start.
            Err(_) if self.stopping.is_cancelled() => Trigger::HiveStopped,
            Err(WorkError::Failed(_)) => Trigger::WorkFailed,
            Err(WorkError::Stopped(_)) => Trigger::WorkStopped,
        };
        if let Transition::To(state) = transition(Standing::of(before), trigger) {
            let outcome = outcome_in(state, &end.outcome, before);
            draft.add(change::moved(before, state, outcome, self.now()));
            self.commit(&end.live, draft).await?;
        }
        self.logbook.close(end.live.id());
        Ok(())
    }

    /// An end that the database refused is not forgotten; at the stop of the hive, recovery takes its place.
    fn record_end_later(&mut self, end: WorkEnd) {
        if !self.stopping.is_cancelled() {
            self.work.spawn(async {
                sleep(TRY_AGAIN_AFTER).await;
                Woken::Ended(end)
            });
        }
    }
}

/// What the job keeps of its work's outcome when it ends in this state.
fn outcome_in(
    state: JobState,
    outcome: &Result<JobResult, WorkError>,
    before: &Job,
) -> Option<Result<JobResult, Problem>> {
    match state {
        JobState::Succeeded | JobState::Failed => Some(match outcome {
            Ok(result) => Ok(result.clone()),
            Err(WorkError::Failed(problem)) => Err(problem.as_ref().clone()),
            Err(WorkError::Stopped(_)) => Err(internal(&format!(
                "the work of job {} stopped without having been told to",
                before.job_id.short()
            ))),
        }),
        JobState::Queued
        | JobState::Running
        | JobState::Pausing
        | JobState::Paused
        | JobState::Cancelling
        | JobState::Cancelled => None,
    }
}

fn panicked(panic: &(dyn Any + Send)) -> Problem {
    let message = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    tracing::error!(panic.message = message, "the work of the job panicked");
    internal("the work of the job broke off")
}

fn internal(detail: &str) -> Problem {
    Problem::new(ProblemCode::Internal, detail)
        .with_hint("the hive's log says more; try the job again")
}
