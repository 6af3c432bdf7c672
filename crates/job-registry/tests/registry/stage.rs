//! A registry whose work is in the test's hand: it starts when the registry says and ends when the test says.

use std::{
    future::Future,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use hive_api::{
    Job, JobId, JobResult, JobState, ModelDownload, ModelDownloaded, Operation, Priority, Problem,
    ProblemCode, SubmitJob,
};
use job_registry::{
    JobContext, JobRegistry, JobWatch, LastEventId, RegistrySettings, RunJob, Submission,
    WatchStart, Watched, WorkError, WriteObserver,
};
use tempfile::TempDir;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
};

/// A registry and the starts of its jobs.
pub(crate) struct Stage {
    pub(crate) registry: JobRegistry,
    pub(crate) starts: mpsc::Receiver<Started>,
    pub(crate) settings: RegistrySettings,
    pub(crate) folder: Arc<TempDir>,
    writes_until_crash: Arc<AtomicI64>,
}

/// A job whose work is under way.
pub(crate) struct Started {
    pub(crate) context: JobContext,
    end: oneshot::Sender<End>,
}

enum End {
    Return(Box<Result<JobResult, WorkError>>),
    Panic,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(adjust: impl FnOnce(&mut RegistrySettings)) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let mut settings = RegistrySettings::new(folder.path().join("hive.db"));
        let writes_until_crash = Arc::new(AtomicI64::new(0));
        let countdown = Arc::clone(&writes_until_crash);
        settings.on_write = WriteObserver::new(move |_| {
            let crashes = countdown.fetch_sub(1, Ordering::Relaxed) == 1;
            assert!(!crashes, "the hive of this test crashes after its commit");
        });
        adjust(&mut settings);
        Self::open(settings, folder, writes_until_crash).await
    }

    async fn open(
        settings: RegistrySettings,
        folder: Arc<TempDir>,
        writes_until_crash: Arc<AtomicI64>,
    ) -> Self {
        let (sender, starts) = mpsc::channel(1_000);
        let run: RunJob = Arc::new(move |context| {
            let sender = sender.clone();
            Box::pin(async move {
                let (end, ended) = oneshot::channel();
                sender.send(Started { context, end }).await.unwrap();
                match ended.await.unwrap() {
                    End::Return(outcome) => *outcome,
                    End::Panic => panic!("the work of this test panics"),
                }
            })
        });
        Self {
            registry: JobRegistry::open(settings.clone(), run).await.unwrap(),
            starts,
            settings,
            folder,
            writes_until_crash,
        }
    }

    /// Lets the hive crash, and starts it again.
    pub(crate) async fn crash(self) -> Self {
        let Self {
            registry,
            starts,
            settings,
            folder,
            writes_until_crash,
        } = self;
        drop((registry, starts));
        Self::open(settings, folder, writes_until_crash).await
    }

    /// Lets the hive crash after so many writes from now, when the last one is durable and nobody has heard of it;
    /// zero for never.
    pub(crate) fn crash_after_writes(&self, writes: i64) {
        self.writes_until_crash.store(writes, Ordering::Relaxed);
    }

    /// Lets the hive stop in order, in which all this work ends, and starts it again.
    pub(crate) async fn stop(self, work: impl IntoIterator<Item = (Started, bool)>) -> Self {
        let registry = self.registry.clone();
        let stopping = JoinSet::from_iter([async move { registry.shut_down().await }]);
        for (started, succeeds) in work {
            started.told_to_stop().await;
            if succeeds {
                started.succeed();
            } else {
                started.stop();
            }
        }
        within(stopping.join_all()).await;
        self.crash().await
    }

    pub(crate) async fn submit(&self) -> JobId {
        self.submit_with(Priority::Normal).await
    }

    pub(crate) async fn submit_with(&self, priority: Priority) -> JobId {
        let mut submission = submission();
        submission.request.priority = priority;
        let submitted = self.registry.submit(submission).await.unwrap();
        assert!(!submitted.replayed);
        submitted.job.job_id
    }

    /// The next start of a job.
    pub(crate) async fn started(&mut self) -> Started {
        within(self.starts.recv()).await.unwrap()
    }

    pub(crate) async fn running(&mut self) -> (JobId, Started) {
        let id = self.submit().await;
        let started = self.started().await;
        assert_eq!(started.context.job_id(), id);
        (id, started)
    }

    pub(crate) async fn state(&self, id: JobId) -> JobState {
        state(&self.registry.get(id).await.unwrap().unwrap())
    }

    pub(crate) async fn ended(&self, id: JobId) -> Job {
        let job = within(self.registry.wait_until_ended(id)).await;
        job.unwrap().unwrap()
    }

    pub(crate) async fn watch(&self, id: JobId, last: Option<&str>) -> JobWatch {
        let last = last.map(LastEventId::parse);
        match self.registry.watch(id, last).await.unwrap().unwrap() {
            WatchStart::Follow(watch) => *watch,
            WatchStart::AtEnd => panic!("the reader is at the end"),
        }
    }
}

impl Started {
    pub(crate) fn succeed(self) {
        self.end(Ok(result()));
    }

    pub(crate) fn fail(self) {
        let problem = Problem::new(ProblemCode::Stalled, "no byte came");
        self.end(Err(problem.into()));
    }

    pub(crate) fn stop(self) {
        self.end(Err(job_registry::Stopped.into()));
    }

    pub(crate) fn end(self, outcome: Result<JobResult, WorkError>) {
        let _ = self.end.send(End::Return(Box::new(outcome)));
    }

    pub(crate) fn panic(self) {
        let _ = self.end.send(End::Panic);
    }

    pub(crate) async fn told_to_stop(&self) {
        within(self.context.cancellation().cancelled()).await;
    }
}

pub(crate) fn submission() -> Submission {
    Submission {
        request: SubmitJob {
            operation: Operation::ModelDownload(ModelDownload {
                model: "org/name".to_owned(),
                ..ModelDownload::default()
            }),
            priority: Priority::Normal,
            limit_bytes_per_second: None,
        },
        submitted_by: "local".to_owned(),
        idempotency_key: None,
    }
}

pub(crate) fn result() -> JobResult {
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

pub(crate) fn state(job: &Job) -> JobState {
    *job.state.known().unwrap()
}

/// The rest of a watch's frames, to its end.
pub(crate) async fn rest(watch: &mut JobWatch) -> Vec<Watched> {
    within(async {
        let mut frames = Vec::new();
        while let Some(frame) = watch.next().await {
            frames.push(frame);
        }
        frames
    })
    .await
}

/// The names and numbers of the frames that are logged.
pub(crate) fn logged(frames: &[Watched]) -> Vec<(u64, String)> {
    let live = ["snapshot", "progress", "heartbeat"];
    let is_logged = |frame: &&Watched| !live.contains(&frame.event.name());
    let names = |frame: &Watched| (frame.id, frame.event.name().to_owned());
    frames.iter().filter(is_logged).map(names).collect()
}

/// Waits, but not for ever.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    let limit = Duration::from_secs(20);
    tokio::time::timeout(limit, future).await.unwrap()
}

pub(crate) fn file_names(folder: &TempDir) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder.path()).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}
