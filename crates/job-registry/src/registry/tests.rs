//! What a caller may rely on while the database cannot be written, and of a job that a newer hive left.

use std::{sync::Arc, time::Duration};

use hive_api::{
    ChangeJob, JobId, JobResult, JobState, ModelDownload, ModelDownloaded, Operation, Priority,
    SubmitJob,
};
use tempfile::TempDir;
use tokio::sync::mpsc;

use super::{JobRegistry, Submission};
use crate::{
    ChangeError, JobContext, RegistryError, RegistrySettings, RunJob, Stopped, SubmitError,
    WorkError,
};

/// A registry with one slot, whose work ends when the test says.
struct Stage {
    registry: JobRegistry,
    starts: mpsc::Receiver<Started>,
    folder: Arc<TempDir>,
}

struct Started {
    context: JobContext,
    end: mpsc::Sender<Result<JobResult, WorkError>>,
}

impl Stage {
    async fn new() -> Self {
        Self::open(Arc::new(tempfile::tempdir().unwrap())).await
    }

    async fn open(folder: Arc<TempDir>) -> Self {
        let (sender, starts) = mpsc::channel(10);
        let run: RunJob = Arc::new(move |context| {
            let sender = sender.clone();
            Box::pin(async move {
                let (end, mut ended) = mpsc::channel(1);
                sender.send(Started { context, end }).await.unwrap();
                ended.recv().await.unwrap()
            })
        });
        let mut settings = RegistrySettings::new(folder.path().join("hive.db"));
        settings.max_running = 1;
        Self {
            registry: JobRegistry::open(settings, run).await.unwrap(),
            starts,
            folder,
        }
    }

    async fn submit(&self) -> JobId {
        let submitted = self.registry.submit(submission()).await.unwrap();
        submitted.job.job_id
    }

    async fn running(&mut self) -> (JobId, Started) {
        let id = self.submit().await;
        let work = within(self.starts.recv()).await.unwrap();
        assert_eq!(work.context.job_id(), id);
        (id, work)
    }

    async fn fill_disk(&self) {
        self.registry.shared.database.fill_disk().await;
    }

    async fn free_disk(&self) {
        self.registry.shared.database.free_disk().await;
    }

    async fn state(&self, id: JobId) -> JobState {
        let job = self.registry.get(id).await.unwrap().unwrap();
        *job.state.known().unwrap()
    }

    async fn ended(&self, id: JobId) -> JobState {
        let ended = within(self.registry.wait_until_ended(id)).await;
        ended.unwrap();
        self.state(id).await
    }

    async fn cancel_without_room(&self, id: JobId) {
        let refused = self.registry.cancel(id).await;
        let full = matches!(refused, Err(RegistryError::DiskFull(_)));
        assert!(full, "{refused:?}");
    }
}

impl Started {
    /// Ends the work, and returns when nothing of it runs any more.
    async fn end(&self, outcome: Result<JobResult, WorkError>) {
        self.end.send(outcome).await.unwrap();
        self.end.closed().await;
    }

    async fn told_to_stop(&self) {
        within(self.context.cancellation().cancelled()).await;
    }
}

fn submission() -> Submission {
    Submission {
        request: SubmitJob {
            operation: Operation::ModelDownload(ModelDownload::default()),
            priority: Priority::Normal,
            limit_bytes_per_second: None,
        },
        submitted_by: "local".to_owned(),
        idempotency_key: None,
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

async fn within<T>(future: impl Future<Output = T>) -> T {
    let limit = Duration::from_secs(20);
    tokio::time::timeout(limit, future).await.unwrap()
}

#[tokio::test]
async fn an_end_on_a_full_disk_is_recorded_when_there_is_room_again() {
    let mut stage = Stage::new().await;
    let (id, work) = stage.running().await;
    stage.fill_disk().await;
    work.end(Ok(result())).await;
    let refused = stage.registry.submit(submission()).await;
    let full = |error| matches!(error, SubmitError::Registry(RegistryError::DiskFull(_)));
    assert!(refused.is_err_and(full));
    assert_eq!(stage.state(id).await, JobState::Running);

    stage.free_disk().await;
    assert_eq!(stage.ended(id).await, JobState::Succeeded);
    stage.running().await;
}

#[tokio::test]
async fn publishing_waits_for_room_and_a_cancel_meanwhile_wins() {
    let mut stage = Stage::new().await;
    let (first, work) = stage.running().await;
    stage.fill_disk().await;
    let (published, ()) = tokio::join!(within(work.context.begin_publishing()), async {
        // A refused request is answered after the one to publish, which came before it.
        assert!(stage.registry.submit(submission()).await.is_err());
        stage.free_disk().await;
    });
    published.unwrap();
    work.end(Ok(result())).await;
    assert_eq!(stage.ended(first).await, JobState::Succeeded);

    let (second, work) = stage.running().await;
    stage.fill_disk().await;
    let (published, ()) = tokio::join!(
        within(work.context.begin_publishing()),
        stage.cancel_without_room(second)
    );
    assert_eq!(published, Err(Stopped));
    work.end(Err(Stopped.into())).await;
    stage.free_disk().await;
    assert_eq!(stage.ended(second).await, JobState::Cancelled);
}

#[tokio::test]
async fn a_cancel_on_a_full_disk_stops_the_work_and_wins_over_its_result() {
    let mut stage = Stage::new().await;
    let (id, work) = stage.running().await;
    stage.fill_disk().await;
    stage.cancel_without_room(id).await;
    work.told_to_stop().await;
    stage.cancel_without_room(id).await;

    stage.free_disk().await;
    let limit_bytes_per_second = Some(1);
    let change = ChangeJob {
        limit_bytes_per_second,
    };
    let changed = stage.registry.change(id, change).await;
    assert!(matches!(changed, Err(ChangeError::WrongState { .. })));
    assert!(work.context.begin_publishing().await.is_err());
    work.end(Ok(result())).await;
    assert_eq!(stage.ended(id).await, JobState::Cancelled);
    let job = stage.registry.get(id).await.unwrap().unwrap();
    assert!(job.result.is_none());
}

#[tokio::test]
async fn work_that_stopped_for_a_cancel_on_a_full_disk_is_cancelled_when_there_is_room_again() {
    let mut stage = Stage::new().await;
    let (id, work) = stage.running().await;
    stage.fill_disk().await;
    stage.cancel_without_room(id).await;
    work.told_to_stop().await;
    work.end(Err(Stopped.into())).await;
    stage.cancel_without_room(id).await;
    stage.free_disk().await;
    assert_eq!(stage.ended(id).await, JobState::Cancelled);
}

#[tokio::test]
async fn a_queued_job_that_was_cancelled_on_a_full_disk_never_starts() {
    let mut stage = Stage::new().await;
    let (first, work) = stage.running().await;
    let cancelled = stage.submit().await;
    let next = stage.submit().await;
    stage.fill_disk().await;
    stage.cancel_without_room(cancelled).await;
    work.end(Ok(result())).await;
    stage.free_disk().await;
    assert_eq!(stage.ended(cancelled).await, JobState::Cancelled);
    assert_eq!(stage.ended(first).await, JobState::Succeeded);
    let work = within(stage.starts.recv()).await.unwrap();
    assert_eq!(work.context.job_id(), next);
}

#[tokio::test]
async fn a_stop_of_the_hive_records_a_cancel_that_found_no_room_before() {
    let mut stage = Stage::new().await;
    let (id, work) = stage.running().await;
    let queued = stage.submit().await;
    stage.fill_disk().await;
    stage.cancel_without_room(id).await;
    stage.cancel_without_room(queued).await;
    work.told_to_stop().await;
    stage.free_disk().await;
    work.end(Err(Stopped.into())).await;
    within(stage.registry.shut_down()).await;

    let stage = Stage::open(Arc::clone(&stage.folder)).await;
    assert_eq!(stage.state(id).await, JobState::Cancelled);
    assert_eq!(stage.state(queued).await, JobState::Cancelled);
}

#[tokio::test]
async fn a_job_in_a_state_of_a_newer_hive_can_be_cancelled_and_nothing_else() {
    let mut stage = Stage::new().await;
    let (_, _work) = stage.running().await;
    let id = stage.submit().await;
    stage.registry.shared.database.set_unknown_state(id).await;
    let folder = Arc::clone(&stage.folder);
    drop(stage);

    let Stage { registry, .. } = Stage::open(folder).await;
    let job = registry.get(id).await.unwrap().unwrap();
    assert_eq!(job.state.as_str(), "dreaming");
    for refused in [registry.pause(id).await, registry.resume(id).await] {
        let says_why =
            |error| matches!(error, ChangeError::WrongState { state } if state == job.state);
        assert!(refused.is_err_and(says_why));
    }
    let job = registry.cancel(id).await.unwrap().unwrap();
    assert_eq!(job.state.known(), Some(&JobState::Cancelled));
    assert_eq!(registry.get(id).await.unwrap(), Some(job));
}
