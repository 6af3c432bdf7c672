//! The adapters from an operation to the crate that does it: the only place that knows both a job and an engine of
//! work.

pub(crate) mod model_download;
mod words;

use std::sync::Arc;

use futures_util::FutureExt;
use hive_api::{InvalidField, Job, Operation, Plan, Problem};
use job_registry::{JobContext, LeftBytes, RunJob};
use model_download::ModelDownloads;
use model_store::RepoId;
use tokio_util::sync::CancellationToken;
pub(crate) use words::bytes;

/// The operation kinds this hive runs.
pub(crate) const KINDS: [&str; 1] = ["model_download"];

/// Every operation this hive runs.
#[derive(Clone)]
pub(crate) struct Operations {
    pub(crate) model_downloads: Arc<ModelDownloads>,
}

impl Operations {
    /// The work of a job, for the registry.
    pub(crate) fn runner(&self) -> RunJob {
        let operations = self.clone();
        Arc::new(move |context: JobContext| {
            let operations = operations.clone();
            async move {
                match context.operation() {
                    Operation::ModelDownload(spec) => {
                        operations.model_downloads.run(spec, &context).await
                    }
                }
            }
            .boxed()
        })
    }

    /// Names what cannot be, as far as that can be told without the Hub; pointers are relative to the operation.
    pub(crate) fn check(&self, operation: &Operation) -> Result<(), Vec<InvalidField>> {
        match operation {
            Operation::ModelDownload(spec) => self.model_downloads.check(spec),
        }
    }

    /// What an operation would fetch.
    pub(crate) async fn plan(
        &self,
        operation: &Operation,
        cancellation: &CancellationToken,
    ) -> Result<Plan, Problem> {
        match operation {
            Operation::ModelDownload(spec) => self.model_downloads.plan(spec, cancellation).await,
        }
    }

    /// What the work of a job that a crash cut off has left, for the registry.
    pub(crate) fn left_bytes(&self) -> LeftBytes {
        let operations = self.clone();
        LeftBytes::new(move |job| {
            let operations = operations.clone();
            async move {
                match (job.operation.known(), &job.plan) {
                    (Some(Operation::ModelDownload(spec)), Some(plan)) => {
                        let since = job.created_at.into();
                        let downloads = &operations.model_downloads;
                        downloads.left_bytes(spec, plan, since).await
                    }
                    // A job of an unknown kind, or one that never planned, has received nothing here.
                    (Some(Operation::ModelDownload(_)) | None, _) => None,
                }
            }
            .boxed()
        })
    }

    /// Removes what an ended job has received and not published, and says how many bytes that were.
    pub(crate) async fn discard_partial(&self, job: &Job) -> Result<u64, Problem> {
        match (job.operation.known(), &job.plan) {
            (Some(Operation::ModelDownload(spec)), Some(plan)) => {
                self.model_downloads.discard_partial(spec, plan).await
            }
            // A job of an unknown kind, or one that never planned, has received nothing here.
            (Some(Operation::ModelDownload(_)) | None, _) => Ok(0),
        }
    }

    /// The repository that an operation works on.
    pub(crate) fn repository(&self, operation: &Operation) -> Option<RepoId> {
        match operation {
            Operation::ModelDownload(spec) => self.model_downloads.repository(spec),
        }
    }
}
