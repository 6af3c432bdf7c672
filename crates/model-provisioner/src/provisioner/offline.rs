//! A download without the Hub (`HF_HUB_OFFLINE`): what the store has is the answer, or there is none.
//!
//! Nothing is asked and nothing is written. What a snapshot has is all that is known of its repository, so the
//! selection is made among that.

use std::sync::Arc;

use model_store::{RepoKind, Revision, StoredSnapshot};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::{
    DownloadRequest, Inner, PublishedModel, blocking, events::Events, failure, space::Space,
};
use crate::{
    Access, Plan, PlannedFile, ProvisionError, ProvisionEvent, ProvisionPhase,
    selection::{self, ListedFile, Selection, SelectionError, Wanted},
};

/// What the store has of a model: a plan with nothing to fetch, and the result.
pub(crate) struct Stored {
    pub(crate) plan: Plan,
    model: PublishedModel,
}

impl Inner {
    /// Tells the short story of a download of which everything is here.
    pub(crate) async fn answer_offline(
        &self,
        request: &DownloadRequest,
        events: &Events,
        cancellation: &CancellationToken,
    ) -> Result<PublishedModel, ProvisionError> {
        events
            .send(ProvisionEvent::Phase(ProvisionPhase::Resolving))
            .await?;
        let stored = self.find_offline(request).await?;
        events
            .send(ProvisionEvent::Planned(Box::new(stored.plan)))
            .await?;
        let (yes, answer) = oneshot::channel();
        events.send(ProvisionEvent::ReadyToPublish(yes)).await?;
        match cancellation.run_until_cancelled(answer).await {
            Some(Ok(())) => Ok(stored.model),
            Some(Err(_)) | None => Err(ProvisionError::Cancelled),
        }
    }

    /// The model in the store, with every selected file in place.
    pub(crate) async fn find_offline(
        &self,
        request: &DownloadRequest,
    ) -> Result<Stored, ProvisionError> {
        if request.force_download {
            return Err(lacking(request, "it is to be fetched again"));
        }
        let (store, request) = (self.store.clone(), request.clone());
        let ledger = Arc::clone(&self.space);
        blocking(move || {
            let repo = request.model.repo();
            let stored = store.show(repo).map_err(failure::of_store)?;
            let commit = match Revision::new(request.model.revision()) {
                Ok(Revision::Commit(commit)) => Some(commit),
                Ok(Revision::Ref(name)) => {
                    let pointed = store.repo(repo).read_ref(&name);
                    pointed.map_err(failure::of_store)?
                }
                Err(_) => None,
            };
            let snapshots = stored.into_iter().flat_map(|stored| stored.snapshots);
            let snapshot = snapshots
                .into_iter()
                .find(|snapshot| Some(&snapshot.commit) == commit.as_ref())
                .ok_or_else(|| lacking(&request, "no snapshot of this revision is there"))?;
            answer(&request, &snapshot, ledger.space()?)
        })
        .await
    }
}

/// Selects among what the snapshot has.
fn answer(
    request: &DownloadRequest,
    snapshot: &StoredSnapshot,
    space: Space,
) -> Result<Stored, ProvisionError> {
    let mut files: Vec<ListedFile> = snapshot
        .files
        .iter()
        .map(|file| ListedFile {
            path: file.path.to_string(),
            bytes: file.size_bytes,
        })
        .collect();
    files.sort_unstable_by(|one, other| one.path.cmp(&other.path));
    let wanted = Wanted {
        selector: request.model.selector(),
        include: &request.include,
        exclude: &request.exclude,
        all_files: request.all_files,
        is_dataset: request.model.repo().kind() == RepoKind::Dataset,
    };
    let selection = selection::select(&files, &wanted).map_err(|error| refusal(request, error))?;
    // A link that leads to nothing is a file that is not here.
    if selection.files.iter().any(|at| files[*at].bytes.is_none()) {
        return Err(lacking(request, "files of it are missing"));
    }
    Ok(stored(request, snapshot, &files, selection, space))
}

fn refusal(request: &DownloadRequest, error: SelectionError) -> ProvisionError {
    match error {
        error @ (SelectionError::Glob(_) | SelectionError::Ambiguous { .. }) => {
            failure::of_selection(error, request.model.repo(), request.model.selector())
        }
        SelectionError::Incomplete { .. } => lacking(request, "shards of it are missing"),
        SelectionError::NotFound { .. }
        | SelectionError::Unsupported { .. }
        | SelectionError::Nothing => lacking(request, "what is asked for is not among its files"),
    }
}

fn stored(
    request: &DownloadRequest,
    snapshot: &StoredSnapshot,
    files: &[ListedFile],
    selection: Selection,
    space: Space,
) -> Stored {
    let main = selection.main.map(|at| files[at].path.clone());
    let files: Vec<PlannedFile> = selection
        .files
        .iter()
        .map(|at| PlannedFile {
            path: files[*at].path.clone(),
            bytes: files[*at].bytes,
            sha256: None,
            bytes_reused: files[*at].bytes.unwrap_or_default(),
        })
        .collect();
    let bytes = files.iter().map(|file| file.bytes_reused).sum();
    let repo = request.model.repo().to_string();
    let model = PublishedModel {
        repo: repo.clone(),
        commit: snapshot.commit.to_string(),
        path: match &main {
            Some(main) => snapshot.path.join(main),
            None => snapshot.path.clone(),
        },
        snapshot_path: snapshot.path.clone(),
        files: u32::try_from(files.len()).unwrap_or(u32::MAX),
        bytes_total: bytes,
        bytes_received: 0,
    };
    let plan = Plan {
        repo,
        revision: request.model.revision().to_owned(),
        commit: snapshot.commit.to_string(),
        selector: selection.selector,
        main,
        files,
        shards: selection.shards,
        bytes_total: Some(bytes),
        bytes_reused: bytes,
        bytes_to_fetch: Some(0),
        free_bytes: space.free_bytes,
        reserved_bytes: space.reserved_bytes,
        left_out: selection.left_out,
        others: selection.others,
        access: Access::Unchecked,
    };
    Stored { plan, model }
}

fn lacking(request: &DownloadRequest, reason: &str) -> ProvisionError {
    ProvisionError::Offline {
        repo: request.model.repo().to_string(),
        reason: reason.to_owned(),
    }
}
