//! Random commands, crashes among them, against a small model of a job's life that is written down on its own.

use std::collections::HashMap;

use hive_api::{
    ChangeJob, Event, JobId,
    JobState::{self, Cancelled, Cancelling, Failed, Paused, Pausing, Queued, Running, Succeeded},
};
use proptest::prelude::*;

use crate::stage::{Stage, Started, state, within};

const SLOTS: usize = 2;

#[derive(Clone, Copy, Debug)]
enum Command {
    Submit,
    Cancel(usize),
    Pause(usize),
    Resume(usize),
    Limit(usize, Option<u64>),
    Publish(usize),
    Succeed(usize),
    Fail(usize),
    Stop(usize),
    Crash,
}

fn command() -> impl Strategy<Value = Command> {
    let job = 0..16_usize;
    prop_oneof![
        4 => Just(Command::Submit),
        3 => job.clone().prop_map(Command::Cancel),
        2 => job.clone().prop_map(Command::Pause),
        2 => job.clone().prop_map(Command::Resume),
        2 => (job.clone(), proptest::option::of(1..3_u64))
            .prop_map(|(job, limit)| Command::Limit(job, limit)),
        2 => job.clone().prop_map(Command::Publish),
        2 => job.clone().prop_map(Command::Succeed),
        2 => job.clone().prop_map(Command::Fail),
        3 => job.prop_map(Command::Stop),
        1 => Just(Command::Crash),
    ]
}

/// What the registry is to have done.
#[derive(Default)]
struct Model {
    jobs: Vec<ModelJob>,
}

struct ModelJob {
    state: JobState,
    publishing: bool,
    attempt: u32,
    limit: Option<u64>,
    history: Vec<String>,
}

impl ModelJob {
    fn go(&mut self, state: JobState) {
        self.state = state;
        self.publishing = false;
        self.history.push(state.as_str().to_owned());
    }

    fn is_at_work(&self) -> bool {
        [Running, Pausing, Cancelling].contains(&self.state)
    }

    fn cancel(&mut self) {
        match self.state {
            Queued | Paused => self.go(Cancelled),
            Running if !self.publishing => self.go(Cancelling),
            Pausing => self.go(Cancelling),
            _ => {}
        }
    }

    /// Whether the registry grants it.
    fn pause(&mut self) -> bool {
        match self.state {
            Queued => self.go(Paused),
            Running if !self.publishing => self.go(Pausing),
            Pausing | Paused => {}
            _ => return false,
        }
        true
    }

    fn resume(&mut self) -> bool {
        let granted = self.state == Paused;
        if granted {
            self.go(Queued);
        }
        granted
    }

    fn limit(&mut self, limit: Option<u64>) -> bool {
        if self.state == Cancelling || self.state.has_ended() {
            return false;
        }
        if self.limit != limit {
            self.limit = limit;
            self.history.push("rate_limit_changed".to_owned());
        }
        true
    }

    fn publish(&mut self) -> bool {
        if self.state == Running && !self.publishing {
            self.publishing = true;
            self.history.push("publishing".to_owned());
        }
        self.publishing
    }

    fn work_ends(&mut self, succeeded: bool) {
        match self.state {
            Pausing => self.go(Paused),
            Cancelling => self.go(Cancelled),
            _ if succeeded => self.go(Succeeded),
            _ => self.go(Failed),
        }
    }

    fn crash(&mut self) {
        match self.state {
            Running => self.go(Queued),
            Pausing => self.go(Paused),
            Cancelling => self.go(Cancelled),
            _ => {}
        }
    }
}

impl Model {
    /// Fills the slots in order of submission; the jobs that start.
    fn start(&mut self) -> Vec<usize> {
        let free = SLOTS - self.jobs.iter().filter(|job| job.is_at_work()).count();
        let jobs = self.jobs.iter_mut().enumerate();
        let queued = jobs.filter(|(_, job)| job.state == Queued);
        let start = |(at, job): (usize, &mut ModelJob)| {
            job.attempt += 1;
            job.go(Running);
            at
        };
        queued.take(free).map(start).collect()
    }
}

/// The real registry beside the model.
struct Pair {
    model: Model,
    stage: Stage,
    ids: Vec<JobId>,
    work: HashMap<usize, Started>,
}

impl Pair {
    async fn obey(mut self, command: Command) -> Self {
        match command {
            Command::Submit => {
                self.ids.push(self.stage.submit().await);
                let mut job = ModelJob {
                    state: Queued,
                    publishing: false,
                    attempt: 0,
                    limit: None,
                    history: Vec::new(),
                };
                job.go(Queued);
                self.model.jobs.push(job);
            }
            Command::Crash => {
                self.stage = self.stage.crash().await;
                self.work.clear();
                self.model.jobs.iter_mut().for_each(ModelJob::crash);
            }
            Command::Cancel(job)
            | Command::Pause(job)
            | Command::Resume(job)
            | Command::Limit(job, _)
            | Command::Publish(job)
            | Command::Succeed(job)
            | Command::Fail(job)
            | Command::Stop(job) => {
                if let Some(at) = job.checked_rem(self.ids.len()) {
                    self.obey_about(command, at).await;
                }
            }
        }
        self.agree().await;
        self
    }

    async fn obey_about(&mut self, command: Command, at: usize) {
        let (id, job) = (self.ids[at], &mut self.model.jobs[at]);
        let registry = &self.stage.registry;
        match command {
            Command::Cancel(_) => {
                job.cancel();
                let answered = registry.cancel(id).await.unwrap().unwrap();
                assert_eq!(state(&answered), job.state);
            }
            Command::Pause(_) => assert_eq!(registry.pause(id).await.is_ok(), job.pause()),
            Command::Resume(_) => assert_eq!(registry.resume(id).await.is_ok(), job.resume()),
            Command::Limit(_, limit_bytes_per_second) => {
                let change = ChangeJob {
                    limit_bytes_per_second,
                };
                let granted = registry.change(id, change).await.is_ok();
                assert_eq!(granted, job.limit(limit_bytes_per_second));
            }
            Command::Publish(_) => {
                if let Some(work) = self.work.get(&at) {
                    let published = work.context.begin_publishing().await;
                    assert_eq!(published.is_ok(), job.publish());
                }
            }
            Command::Succeed(_) | Command::Fail(_) | Command::Stop(_) => {
                let Some(work) = self.work.remove(&at) else {
                    return;
                };
                job.work_ends(matches!(command, Command::Succeed(_)));
                match command {
                    Command::Succeed(_) => work.succeed(),
                    Command::Fail(_) => work.fail(),
                    _ => work.stop(),
                }
            }
            Command::Submit | Command::Crash => {}
        }
    }

    /// Waits until the registry has started what the model starts and every job is where the model has it.
    async fn agree(&mut self) {
        for at in self.model.start() {
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

    async fn have_the_same_history(&self) {
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

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 48,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_registry_does_what_the_model_does(
        commands in proptest::collection::vec(command(), 1..40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let stage = Stage::with(|settings| settings.max_running = SLOTS).await;
            let (model, ids, work) = (Model::default(), Vec::new(), HashMap::new());
            let mut pair = Pair { model, stage, ids, work };
            for command in commands {
                pair = pair.obey(command).await;
            }
            pair.have_the_same_history().await;
            pair.stage = pair.stage.crash().await;
            pair.model.jobs.iter_mut().for_each(ModelJob::crash);
            pair.work.clear();
            pair.agree().await;
            pair.have_the_same_history().await;
        });
    }
}
