//! `model_download`: what the provisioner tells becomes the job's phases, lines and figures, and its end the job's.

mod figures;
mod problem;
mod story;

use std::{
    collections::BTreeMap,
    convert::Infallible,
    future::pending,
    time::{Duration, SystemTime},
};

use hive_api::{
    InvalidField, JobId, JobResult, ModelDownload, ModelDownloaded, Phase, Plan, PlanSummary,
    Problem, ProblemCode,
};
use job_registry::{JobContext, Stopped, WorkError};
use model_provisioner::{
    DownloadRequest, ModelReference, ProvisionError, ProvisionEvent, ProvisionPhase, Provisioner,
    PublishedModel, RateLimiter, ReferenceError, check_globs,
};
use model_store::{Commit, RepoId};
use problem::{Occasion, problem};
use tokio::{
    sync::{mpsc, watch},
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::{config::without_credentials, metrics::Metrics};

/// How long the end of a job waits for the name of its account.
const ACCOUNT_LIMIT: Duration = Duration::from_secs(5);
/// Events that wait for the job's log before the download has to wait for it.
const WAITING_EVENTS: usize = 64;

/// Runs and plans downloads.
pub(crate) struct ModelDownloads {
    pub(crate) provisioner: Provisioner,
    /// The Hub, whose addresses are understood as references.
    pub(crate) hub: Url,
    /// The machine's name.
    pub(crate) machine: String,
    /// The limit of all downloads together, which every byte passes.
    pub(crate) rate_limit: RateLimiter,
    pub(crate) metrics: Metrics,
}

impl ModelDownloads {
    /// Names what cannot be: a reference that is none, a glob that is none.
    pub(super) fn check(&self, spec: &ModelDownload) -> Result<(), Vec<InvalidField>> {
        let mut errors = Vec::new();
        if let Err(error) = ModelReference::parse(&spec.model, Some(&self.hub)) {
            errors.push(InvalidField {
                pointer: "/model".to_owned(),
                detail: format!("{error}: {}", error.remedy()),
            });
        }
        for (name, globs) in [("include", &spec.include), ("exclude", &spec.exclude)] {
            for (index, glob) in globs.iter().enumerate() {
                if glob.is_empty() {
                    errors.push(InvalidField {
                        pointer: format!("/{name}/{index}"),
                        detail: format!("--{name} is empty: give it a glob, such as *.json"),
                    });
                }
                if let Err(error) = check_globs(std::slice::from_ref(glob)) {
                    errors.push(InvalidField {
                        pointer: format!("/{name}/{index}"),
                        detail: error.to_string(),
                    });
                }
            }
        }
        if errors.is_empty() {
            Ok(())
        } else {
            Err(errors)
        }
    }

    /// Bytes that came from the Hub and its CDN since the start, each counted once.
    pub(crate) fn bytes_received(&self) -> u64 {
        self.rate_limit.bytes_received()
    }

    /// The Hub's address without credentials.
    pub(crate) fn shown_hub(&self) -> String {
        without_credentials(self.hub.clone())
    }

    pub(super) fn repository(&self, spec: &ModelDownload) -> Option<RepoId> {
        let reference = ModelReference::parse(&spec.model, Some(&self.hub));
        reference.ok().map(|reference| reference.repo().clone())
    }

    /// What a job that a crash cut off has left, `None` where the store does not tell.
    pub(super) async fn left_bytes(
        &self,
        spec: &ModelDownload,
        plan: &PlanSummary,
        since: SystemTime,
    ) -> Option<u64> {
        let (repo, commit) = (self.repository(spec)?, Commit::new(&plan.commit).ok()?);
        let left = self.provisioner.left_bytes(&repo, &commit, since).await;
        left.inspect_err(|error| {
            let error: &dyn std::error::Error = error;
            tracing::warn!(error, model.repo = %repo, "the store does not tell what a job has left");
        })
        .ok()
    }

    pub(super) async fn discard_partial(
        &self,
        spec: &ModelDownload,
        plan: &PlanSummary,
    ) -> Result<u64, Problem> {
        let (Some(repo), Ok(commit)) = (self.repository(spec), Commit::new(&plan.commit)) else {
            return Ok(0);
        };
        let discarded = self.provisioner.discard_partials(&repo, &commit).await;
        discarded.map_err(|error| self.problem_of(&error))
    }

    pub(super) async fn plan(
        &self,
        spec: &ModelDownload,
        cancellation: &CancellationToken,
    ) -> Result<Plan, Problem> {
        // A plan fetches no file.
        let no_limit = RateLimiter::new(None);
        let request = self.request(spec, no_limit);
        let request = request.map_err(|error| unreadable(&error))?;
        let plan = self.provisioner.plan(&request, cancellation).await;
        plan.map(figures::plan)
            .map_err(|error| self.problem_of(&error))
    }

    /// The problem of what was asked without a job.
    pub(crate) fn problem_of(&self, error: &ProvisionError) -> Problem {
        let occasion = self.occasion(None);
        problem(error, &occasion)
            .unwrap_or_else(|| Problem::new(ProblemCode::ShuttingDown, "the hive is stopping"))
    }

    fn occasion(&self, job: Option<JobId>) -> Occasion<'_> {
        Occasion {
            machine: &self.machine,
            account: self.provisioner.known_hub_account(),
            job,
        }
    }

    pub(super) async fn run(
        &self,
        spec: &ModelDownload,
        context: &JobContext,
    ) -> Result<JobResult, WorkError> {
        let limit = context.limit_bytes_per_second();
        let limiter = RateLimiter::new(*limit.borrow());
        let request = self.request(spec, limiter.clone());
        let request = request.map_err(|error| unreadable(&error))?;
        let (events, inbox) = mpsc::channel(WAITING_EVENTS);
        let work = async {
            tokio::join!(
                self.provisioner
                    .download(&request, events, context.cancellation()),
                Teller::new(context, &self.metrics).tell_all(inbox),
            )
        };
        let (outcome, told) = tokio::select! {
            ended = work => ended,
            never = keep_to(limit, &limiter) => match never {},
        };
        match outcome {
            Ok(published) => Ok(result(published)),
            Err(early) => {
                if let Some(bytes) = early.bytes_kept {
                    context.partial_bytes_kept(bytes);
                }
                told?;
                if let ProvisionError::AccessDenied { .. } = early.reason {
                    self.learn_account(context.cancellation()).await;
                }
                Err(self.failure(&early.reason, context))
            }
        }
    }

    /// Asks whose token it is that was refused, so that the person can be told. Not knowing is no second problem.
    async fn learn_account(&self, cancellation: &CancellationToken) {
        if self.provisioner.known_hub_account().is_none() {
            let asking = self.provisioner.hub_account();
            let asking = timeout(ACCOUNT_LIMIT, asking);
            let _ = cancellation.run_until_cancelled(asking).await;
        }
    }

    fn failure(&self, error: &ProvisionError, context: &JobContext) -> WorkError {
        match problem(error, &self.occasion(Some(context.job_id()))) {
            None => Stopped.into(),
            Some(problem) => {
                tracing::warn!(
                    job.id = %context.job_id(),
                    error = error as &dyn std::error::Error,
                    "the download ended with an error"
                );
                problem.into()
            }
        }
    }

    fn request(
        &self,
        spec: &ModelDownload,
        rate_limit: RateLimiter,
    ) -> Result<DownloadRequest, ReferenceError> {
        Ok(DownloadRequest {
            model: ModelReference::parse(&spec.model, Some(&self.hub))?,
            include: spec.include.clone(),
            exclude: spec.exclude.clone(),
            all_files: spec.all_files,
            force_download: spec.force_download,
            rate_limit,
        })
    }
}

/// Holds a download to its job's limit, whatever that becomes, for as long as it is polled.
async fn keep_to(mut limit: watch::Receiver<Option<u64>>, limiter: &RateLimiter) -> Infallible {
    while limit.changed().await.is_ok() {
        limiter.set_limit(*limit.borrow_and_update());
    }
    pending().await
}

/// A stored job's reference that this build does not read any more.
fn unreadable(error: &ReferenceError) -> Problem {
    Problem::new(ProblemCode::InvalidRequest, error.to_string()).with_hint(error.remedy())
}

/// Turns events into what the job's watchers see.
struct Teller<'a> {
    context: &'a JobContext,
    metrics: &'a Metrics,
    /// Files of the plan.
    files: u32,
    /// The retries that were told, by code.
    retries: BTreeMap<String, u32>,
}

impl<'a> Teller<'a> {
    const fn new(context: &'a JobContext, metrics: &'a Metrics) -> Self {
        Self {
            context,
            metrics,
            files: 0,
            retries: BTreeMap::new(),
        }
    }

    /// Tells until the download has ended. A job that is stopped is told nothing more, but its events are still
    /// taken, so that the download never waits for a reader that is gone.
    async fn tell_all(mut self, mut inbox: mpsc::Receiver<ProvisionEvent>) -> Result<(), Stopped> {
        let mut told = Ok(());
        while let Some(event) = inbox.recv().await {
            if told.is_ok() {
                told = self.tell(event).await;
            }
        }
        told
    }

    async fn tell(&mut self, event: ProvisionEvent) -> Result<(), Stopped> {
        match event {
            ProvisionEvent::Phase(phase) => self.context.phase(wire_phase(phase)).await,
            ProvisionEvent::Planned(plan) => {
                let (summary, message) = (figures::summary(&plan), story::planned(&plan));
                self.files = summary.files_total;
                self.context.planned(summary, message).await
            }
            ProvisionEvent::FileStarted {
                index,
                path,
                bytes_total,
            } => {
                self.context
                    .log(story::file_started(index, self.files, &path, bytes_total))
                    .await
            }
            ProvisionEvent::FileVerified {
                index,
                path,
                bytes_total,
                bytes_received,
            } => {
                if bytes_received > 0 {
                    self.context.bytes_received().await?;
                }
                let line =
                    story::file_verified(index, self.files, &path, bytes_total, bytes_received);
                self.context.log(line).await
            }
            ProvisionEvent::Retry(retry) => {
                let line = story::retry(&retry, self.files);
                if let Some(code) = &line.code {
                    *self.retries.entry(code.clone()).or_default() += 1;
                    self.metrics.retried(code);
                }
                self.context.log(line).await
            }
            ProvisionEvent::Notice(notice) => self.context.log(story::notice(&notice)).await,
            ProvisionEvent::Progress(progress) => {
                if progress.bytes_received > 0 {
                    self.context.bytes_received().await?;
                }
                self.context
                    .progress(figures::progress(progress, &self.retries));
                Ok(())
            }
            ProvisionEvent::ReadyToPublish(go) => {
                self.context.begin_publishing().await?;
                // A download that is gone meanwhile says so by its own result.
                let _ = go.send(());
                Ok(())
            }
        }
    }
}

fn wire_phase(phase: ProvisionPhase) -> Phase {
    match phase {
        ProvisionPhase::Resolving => Phase::Resolving,
        ProvisionPhase::Planning => Phase::Planning,
        ProvisionPhase::WaitingForNetwork => Phase::WaitingForNetwork,
        ProvisionPhase::Downloading => Phase::Downloading,
    }
}

fn result(published: PublishedModel) -> JobResult {
    JobResult::ModelDownload(ModelDownloaded {
        repo: published.repo,
        commit: published.commit,
        snapshot_path: published.snapshot_path.display().to_string(),
        path: published.path.display().to_string(),
        files: published.files,
        bytes_total: published.bytes_total,
        bytes_received: published.bytes_received,
    })
}
