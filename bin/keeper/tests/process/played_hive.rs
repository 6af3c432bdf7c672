//! A hive that the test plays: it accepts and ends its one job when told.

use std::{
    convert::Infallible,
    io,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    body::Body,
    extract::{Request, State},
    middleware::{self, Next},
    response::{IntoResponse, Response, Sse, sse},
    routing::{get, post},
};
use futures_util::{StreamExt, stream};
use hive_api::{
    Event, Job, JobId, JobLinks, JobResult, JobState, ModelDownload, ModelDownloaded, Open,
    Operation, Priority, Progress, Snapshot,
};
use tokio::{net::TcpListener, sync::watch, task::JoinSet, time::timeout};
use uuid::Uuid;

pub(crate) struct PlayedHive {
    address: String,
    stage: Stage,
    _server: JoinSet<()>,
}

/// What the test decides, and what it has seen.
#[derive(Clone)]
struct Stage {
    accepts: Arc<watch::Sender<bool>>,
    /// How many of the next answers to a submission break off.
    cuts: Arc<AtomicU32>,
    end: Arc<watch::Sender<Option<Job>>>,
    requests: Arc<watch::Sender<Vec<String>>>,
}

impl PlayedHive {
    pub(crate) async fn start() -> Self {
        let stage = Stage {
            accepts: Arc::new(watch::Sender::new(false)),
            cuts: Arc::default(),
            end: Arc::new(watch::Sender::new(None)),
            requests: Arc::new(watch::Sender::new(Vec::new())),
        };
        let router = Router::new()
            .route("/v1/hive", get(hive))
            .route("/v1/jobs", post(submit))
            .route("/v1/jobs/{id}", get(show).delete(show))
            .route("/v1/jobs/{id}/events", get(events))
            .layer(middleware::from_fn_with_state(stage.clone(), note))
            .with_state(stage.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            address,
            stage,
            _server: server,
        }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// What keeper calls it.
    pub(crate) fn name(&self) -> &str {
        self.address.trim_start_matches("http://")
    }

    /// Answers every submission, from now on.
    pub(crate) fn accept(&self) {
        self.stage.accepts.send_replace(true);
    }

    /// Breaks off the next so many answers to a submission.
    pub(crate) fn cut_answers(&self, answers: u32) {
        self.stage.cuts.store(answers, Ordering::Relaxed);
    }

    /// The `Idempotency-Key` of every submission so far.
    pub(crate) fn keys(&self) -> Vec<String> {
        let requests = self.stage.requests.borrow();
        let posts = requests
            .iter()
            .filter_map(|one| one.strip_prefix("POST /v1/jobs "));
        posts.map(str::to_owned).collect()
    }

    /// Ends the job.
    pub(crate) fn end(&self, job: Job) {
        self.stage.end.send_replace(Some(job));
    }

    /// Waits for a request that begins so.
    pub(crate) async fn asked(&self, start: &str) {
        let mut requests = self.stage.requests.subscribe();
        let came = requests.wait_for(|all| all.iter().any(|one| one.starts_with(start)));
        timeout(Duration::from_secs(20), came)
            .await
            .unwrap()
            .unwrap();
    }

    pub(crate) fn was_asked(&self, start: &str) -> bool {
        let requests = self.stage.requests.borrow();
        requests.iter().any(|one| one.starts_with(start))
    }
}

async fn note(State(stage): State<Stage>, request: Request, next: Next) -> Response {
    let key = request.headers().get("idempotency-key");
    let key = key.and_then(|key| key.to_str().ok()).unwrap_or_default();
    let line = format!("{} {} {key}", request.method(), request.uri());
    stage.requests.send_modify(|all| all.push(line));
    next.run(request).await
}

/// The documentation's example: who asks it is called `laptop`.
async fn hive() -> &'static str {
    include_str!("../../../../docs/api/hive_info.json")
}

async fn submit(State(stage): State<Stage>) -> Response {
    let mut accepts = stage.accepts.subscribe();
    accepts.wait_for(|accepts| *accepts).await.unwrap();
    let is_cut = |cuts: u32| cuts.checked_sub(1);
    let cuts = &stage.cuts;
    if cuts
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, is_cut)
        .is_ok()
    {
        let broken = stream::iter([Ok("{"), Err(io::Error::other("cut"))]);
        return Body::from_stream(broken).into_response();
    }
    (axum::http::StatusCode::ACCEPTED, Json(job())).into_response()
}

async fn show(State(stage): State<Stage>) -> Json<Job> {
    let end = stage.end.borrow().clone();
    Json(end.unwrap_or_else(job))
}

async fn events(State(stage): State<Stage>) -> Response {
    let snapshot = frame(&Event::Snapshot(Box::new(Snapshot {
        job: job(),
        resumed: None,
    })));
    let mut end = stage.end.subscribe();
    let last = async move {
        let job = end.wait_for(Option::is_some).await.unwrap().clone();
        let job = Box::new(job.unwrap());
        let event = match job.state {
            Open::Known(JobState::Succeeded) => Event::Succeeded(job),
            _ => Event::Cancelled(job),
        };
        frame(&event)
    };
    let frames = stream::iter([snapshot]).chain(stream::once(last));
    Sse::new(frames.map(Ok::<_, Infallible>)).into_response()
}

fn frame(event: &Event) -> sse::Event {
    let data = event.data().unwrap().to_string();
    sse::Event::default().event(event.name()).id("1").data(data)
}

/// The one job, running.
pub(crate) fn job() -> Job {
    let job_id = JobId::new(Uuid::from_u128(0x9f_3c41));
    Job {
        job_id,
        operation: Open::Known(Operation::ModelDownload(ModelDownload {
            model: "a/b".into(),
            ..ModelDownload::default()
        })),
        state: JobState::Running.into(),
        phase: None,
        attempt: 1,
        sequence: 1,
        priority: Priority::Normal.into(),
        limit_bytes_per_second: None,
        queue_position: None,
        submitted_by: "local".into(),
        created_at: jiff::Timestamp::UNIX_EPOCH,
        started_at: None,
        finished_at: None,
        plan: None,
        progress: Progress::default(),
        last_activity_at: None,
        error: None,
        result: None,
        partial_bytes_kept: 0,
        heartbeat_seconds: 5,
        links: JobLinks::of(job_id),
    }
}

/// The one job with a model at this path.
pub(crate) fn succeeded(path: &str) -> Job {
    Job {
        state: JobState::Succeeded.into(),
        result: Some(Open::Known(JobResult::ModelDownload(ModelDownloaded {
            repo: "a/b".into(),
            commit: "0".repeat(40),
            snapshot_path: path.into(),
            path: path.into(),
            files: 1,
            bytes_total: 1,
            bytes_received: 1,
        }))),
        ..job()
    }
}
