//! The end of a download: with the caller's yes, and from there on no way back.

use model_store::{BlobName, RepoPath, Revision};
use tokio::{sync::oneshot, task::spawn_blocking};
use tokio_util::sync::CancellationToken;

use super::{Inner, PublishedModel, events::Events, failure, fetch::Fetched, planned::Planned};
use crate::{ProvisionError, ProvisionEvent};

impl Inner {
    /// Asks, then makes the links and the ref.
    pub(crate) async fn publish(
        &self,
        planned: &Planned,
        fetched: &[Fetched],
        events: &Events,
        cancellation: &CancellationToken,
    ) -> Result<PublishedModel, ProvisionError> {
        let (yes, answer) = oneshot::channel();
        events.send(ProvisionEvent::ReadyToPublish(yes)).await?;
        match cancellation.run_until_cancelled(answer).await {
            Some(Ok(())) => {}
            Some(Err(_)) | None => return Err(ProvisionError::Cancelled),
        }
        let files: Vec<(RepoPath, BlobName)> = fetched
            .iter()
            .map(|file| (file.path.clone(), file.blob.clone()))
            .collect();
        let (folder, commit) = (planned.folder.clone(), planned.commit.clone());
        // The reference that was asked for passed the same check when it was read.
        let reference = match Revision::new(&planned.plan.revision) {
            Ok(Revision::Ref(name)) => Some(name),
            Ok(Revision::Commit(_)) | Err(_) => None,
        };
        let linking = spawn_blocking(move || folder.publish(&commit, &files, reference.as_ref()));
        match linking.await {
            Ok(linked) => linked.map_err(failure::of_store)?,
            Err(lost) => return Err(failure::of_lost_task(lost)),
        }
        let snapshot_path = planned.folder.snapshot_path(&planned.commit);
        let path = match &planned.main {
            Some(main) => planned.folder.file_path(&planned.commit, main),
            None => snapshot_path.clone(),
        };
        tracing::info!(
            model.repo = %planned.repo,
            model.commit = %planned.commit,
            model.files = fetched.len(),
            "published"
        );
        Ok(PublishedModel {
            repo: planned.repo.to_string(),
            commit: planned.commit.to_string(),
            snapshot_path,
            path,
            files: u32::try_from(fetched.len()).unwrap_or(u32::MAX),
            bytes_total: fetched.iter().map(|file| file.bytes).sum(),
            bytes_received: fetched.iter().map(|file| file.bytes_received).sum(),
        })
    }
}
