//! The real registry beside the model of it: both are told the same, and must be in the same state ever after.

use std::collections::HashMap;

use hive_api::{ChangeJob, Event, JobId, Phase};
use job_registry::{SubmitError, Submitted};

use crate::{
    model::{Model, ModelJob},
    stage::{Stage, Started, state, submission, within},
};

/// Something that happens to one job.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Act {
    Cancel,
    Pause,
    Resume,
    Limit(Option<u64>),
    Publish,
    WaitForNetwork,
    ReceiveBytes,
    Succeed,
    Fail,
    StopByItself,
}

pub(crate) struct Pair {
    model: Model,
    stage: Stage,
    ids: Vec<JobId>,
    work: HashMap<usize, Started>,
}

/// What the acted job's history and the registry's writes come to.
struct Acted {
    writes: usize,
    is_told: bool,
    history_before: u64,
}

impl Pair {
    pub(crate) async fn new(slots: usize) -> Self {
        Self {
            model: Model {
                slots,
                jobs: Vec::new(),
            },
            stage: Stage::with(|settings| settings.max_running = slots).await,
            ids: Vec::new(),
            work: HashMap::new(),
        }
    }

    /// Jobs that were submitted.
    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    pub(crate) async fn submit(&mut self) {
        let submitted = self.post().await.unwrap();
        assert!(!submitted.replayed);
        self.ids.push(submitted.job.job_id);
        self.model.jobs.push(ModelJob::submitted());
    }

    /// The hive crashes after the first or the second write of a submission: the job, or also a start. Nobody has
    /// the answer of the first, so it is asked for again with the same key.
    pub(crate) async fn submit_and_crash(mut self, writes: usize) -> Self {
        self.model.jobs.push(ModelJob::submitted());
        let starts = writes > 1 && self.model.start(1).len() == 1;
        self.stage
            .crash_after_writes(i64::try_from(writes).unwrap());
        let answered = self.post().await;
        assert_eq!(answered.is_ok(), writes > 1);
        if starts {
            self.is_dead().await;
        }
        self = self.crash().await;
        let again = self.post().await.unwrap();
        assert!(again.replayed);
        self.ids.push(again.job.job_id);
        self
    }

    async fn post(&self) -> Result<Submitted, SubmitError> {
        let mut submission = submission();
        submission.idempotency_key = Some(format!("job {}", self.ids.len()));
        self.stage.registry.submit(submission).await
    }

    pub(crate) async fn act(&mut self, at: usize, act: Act) {
        self.act_on_both(at, act, true).await;
    }

    /// The hive crashes after the first or the second write that this leads to: the change of the job, or also the
    /// start of another one; else right afterwards.
    pub(crate) async fn act_and_crash(mut self, at: usize, act: Act, writes: usize) -> Self {
        self.stage
            .crash_after_writes(i64::try_from(writes).unwrap());
        let acted = self.act_on_both(at, act, false).await;
        let starts = writes > 1 && acted.writes == 1 && self.model.start(1).len() == 1;
        if acted.is_told {
            let registry = &self.stage.registry;
            let heard_or_dead = registry.wait_past(self.ids[at], acted.history_before);
            within(heard_or_dead).await.unwrap();
        }
        if acted.writes == writes || starts {
            self.is_dead().await;
        }
        self.crash().await
    }

    /// The scheduler takes one thing after the other, so what is asked now finds the crash of what came before.
    async fn is_dead(&self) {
        let unknown = JobId::new(uuid::Uuid::from_u128(1));
        assert!(self.stage.registry.pause(unknown).await.is_err());
    }

    async fn act_on_both(&mut self, at: usize, act: Act, answers: bool) -> Acted {
        let (id, job) = (self.ids[at], &mut self.model.jobs[at]);
        let registry = &self.stage.registry;
        let history_before = job.history.len();
        let mut forgets_crashes = false;
        let agreed = match act {
            Act::Cancel => {
                job.cancel();
                let answered = registry.cancel(id).await;
                answered.is_ok_and(|answered| state(&answered.unwrap()) == job.state)
            }
            Act::Pause => registry.pause(id).await.is_ok() == job.pause(),
            Act::Resume => registry.resume(id).await.is_ok() == job.resume(),
            Act::Limit(limit_bytes_per_second) => {
                let change = ChangeJob {
                    limit_bytes_per_second,
                };
                let granted = registry.change(id, change).await.is_ok();
                granted == job.limit(limit_bytes_per_second)
            }
            Act::Publish => match self.work.get(&at) {
                Some(work) => work.context.begin_publishing().await.is_ok() == job.publish(),
                None => true,
            },
            Act::WaitForNetwork => match self.work.get(&at) {
                Some(work) => {
                    let told = work.context.phase(Phase::WaitingForNetwork).await;
                    told.is_ok() == job.wait_for_network()
                }
                None => true,
            },
            Act::ReceiveBytes => match self.work.get(&at) {
                Some(work) => {
                    forgets_crashes = job.receive();
                    work.context.bytes_received().await.is_ok()
                }
                None => true,
            },
            Act::Succeed | Act::Fail | Act::StopByItself => {
                if let Some(work) = self.work.remove(&at) {
                    job.work_ends(matches!(act, Act::Succeed));
                    match act {
                        Act::Succeed => work.succeed(),
                        Act::Fail => work.fail(),
                        _ => work.stop(),
                    }
                }
                true
            }
        };
        assert!(
            agreed || !answers,
            "{act:?} of a job that is {:?}",
            job.state
        );
        Acted {
            is_told: job.history.len() > history_before,
            writes: job.history.len() - history_before + usize::from(forgets_crashes),
            history_before: u64::try_from(history_before).unwrap(),
        }
    }

    pub(crate) async fn crash(mut self) -> Self {
        self.stage.crash_after_writes(0);
        self.stage = self.stage.crash().await;
        self.work.clear();
        self.model.jobs.iter_mut().for_each(ModelJob::crash);
        self
    }

    /// The hive stops in order; the work of one job, where it has any, ends with its result in it.
    pub(crate) async fn stop(mut self, succeeding: Option<usize>) -> Self {
        for (at, job) in self.model.jobs.iter_mut().enumerate() {
            job.stop(succeeding == Some(at));
        }
        let work = self.work.drain();
        let work = work.map(|(at, started)| (started, succeeding == Some(at)));
        self.stage = self.stage.stop(work.collect::<Vec<_>>()).await;
        self
    }

    /// Waits until the registry has started what the model starts and every job is where the model has it.
    pub(crate) async fn agree(&mut self) {
        for at in self.model.start(usize::MAX) {
            let work = self.stage.started().await;
            let ModelJob { attempt, limit, .. } = self.model.jobs[at];
            assert_eq!(*work.context.limit_bytes_per_second().borrow(), limit);
            assert_eq!(
                (work.context.job_id(), work.context.attempt()),
                (self.ids[at], attempt)
            );
            self.work.insert(at, work);
        }
        for (id, job) in self.ids.iter().zip(&self.model.jobs) {
            let sequence = u64::try_from(job.history.len()).unwrap();
            let real = within(self.stage.registry.wait_past(*id, sequence - 1)).await;
            let real = real.unwrap().unwrap();
            assert_eq!((state(&real), real.sequence), (job.state, sequence));
            assert_eq!(real.limit_bytes_per_second, job.limit);
        }
        assert!(self.stage.starts.is_empty());
    }

    pub(crate) async fn have_the_same_history(&self) {
        for (id, job) in self.ids.iter().zip(&self.model.jobs) {
            let mut watch = self.stage.watch(*id, Some("0")).await;
            within(watch.next()).await.unwrap();
            for (sequence, expected) in (1..).zip(&job.history) {
                let frame = within(watch.next()).await.unwrap();
                let told = match &frame.event {
                    Event::State(event) => event.state.as_str(),
                    Event::Phase(event) => event.phase.known().unwrap().as_str(),
                    Event::Log(line) => line.code.as_deref().unwrap(),
                    last => last.name(),
                };
                assert_eq!((frame.id, told), (sequence, expected.as_str()));
            }
        }
    }
}
