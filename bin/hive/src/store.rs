//! What the store holds, as the wire tells it: one model a repository, commit and quantisation.
//!
//! The store blocks on the file system, so every question to it is asked off the async workers.

use std::collections::BTreeMap;

use hive_api::{ModelFile, ModelList, ModelState, RemovedModel, StoredModel};
use jiff::Timestamp;
use model_provisioner::{StoredQuantisation, quantisation_groups};
use model_store::{
    ModelStore, RepoId, Revision, StoreError, StoredFile, StoredRepo, StoredSnapshot,
};
use tokio::task::JoinError;

/// The store, asked from async code.
#[derive(Clone, Debug)]
pub(crate) struct Store(ModelStore);

/// Why the store did not answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    /// It could not.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The question was never finished.
    #[error("the store's question was not finished")]
    Lost(#[from] JoinError),
}

impl Store {
    pub(crate) const fn new(store: ModelStore) -> Self {
        Self(store)
    }

    pub(crate) async fn free_bytes(&self) -> Result<u64, AskError> {
        self.ask(ModelStore::free_bytes).await
    }

    /// Every model.
    pub(crate) async fn list(&self) -> Result<ModelList, AskError> {
        self.ask(|store| {
            let repos = store.list()?;
            Ok(model_list(store.root(), store.free_bytes()?, &repos))
        })
        .await
    }

    /// The models of one repository, at one revision if one is named; `None` where there is none.
    pub(crate) async fn show(
        &self,
        repo: RepoId,
        revision: Option<Revision>,
    ) -> Result<Option<ModelList>, AskError> {
        self.ask(move |store| {
            let Some(mut found) = store.show(&repo)? else {
                return Ok(None);
            };
            if let Some(revision) = revision {
                found
                    .snapshots
                    .retain(|snapshot| is_at(snapshot, &revision));
            }
            let list = model_list(store.root(), store.free_bytes()?, &[found]);
            Ok(Some(list).filter(|list| !list.models.is_empty()))
        })
        .await
    }

    /// Removes a repository or one revision of it; `None` where there is none.
    pub(crate) async fn remove(
        &self,
        repo: RepoId,
        revision: Option<Revision>,
    ) -> Result<Option<RemovedModel>, AskError> {
        self.ask(move |store| {
            let removed = store.remove(&repo, revision.as_ref())?;
            Ok(removed.map(|removed| RemovedModel {
                repo: repo.to_string(),
                commits: removed.commits.iter().map(ToString::to_string).collect(),
                bytes_freed: removed.bytes_freed,
            }))
        })
        .await
    }

    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&ModelStore) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, AskError> {
        let store = self.0.clone();
        Ok(tokio::task::spawn_blocking(move || question(&store)).await??)
    }
}

fn is_at(snapshot: &StoredSnapshot, revision: &Revision) -> bool {
    match revision {
        Revision::Commit(commit) => snapshot.commit == *commit,
        Revision::Ref(name) => snapshot.refs.contains(name),
    }
}

fn model_list(root: &std::path::Path, free_bytes: u64, repos: &[StoredRepo]) -> ModelList {
    let mut models: Vec<StoredModel> = repos.iter().flat_map(models_of).collect();
    models.sort_by(|one, other| (&one.model, &one.commit).cmp(&(&other.model, &other.commit)));
    ModelList {
        store_path: root.display().to_string(),
        free_bytes,
        models,
    }
}

fn models_of(repo: &StoredRepo) -> Vec<StoredModel> {
    let name = repo.repo.to_string();
    let of_snapshot = |snapshot: &StoredSnapshot| {
        let paths: Vec<&str> = snapshot
            .files
            .iter()
            .map(|file| file.path.as_str())
            .collect();
        let groups = quantisation_groups(&paths);
        groups
            .iter()
            .map(|group| model(&name, snapshot, group))
            .collect::<Vec<_>>()
    };
    repo.snapshots.iter().flat_map(of_snapshot).collect()
}

fn model(repo: &str, snapshot: &StoredSnapshot, group: &StoredQuantisation) -> StoredModel {
    let in_group = |file: &&StoredFile| group.files.iter().any(|path| path == file.path.as_str());
    let files: Vec<&StoredFile> = snapshot.files.iter().filter(in_group).collect();
    // By its own files: a broken link of another quantisation beside it breaks that one alone.
    let is_whole = group.missing.is_empty() && files.iter().all(|file| file.size_bytes.is_some());
    let state = if is_whole {
        ModelState::Complete
    } else {
        ModelState::Broken
    };
    let path = match &group.main {
        Some(main) => snapshot.path.join(main),
        None => snapshot.path.clone(),
    };
    StoredModel {
        model: match &group.selector {
            Some(selector) => format!("{repo}:{selector}"),
            None => repo.to_owned(),
        },
        repo: repo.to_owned(),
        commit: snapshot.commit.to_string(),
        refs: snapshot
            .refs
            .iter()
            .map(|name| name.as_str().to_owned())
            .collect(),
        bytes_on_disk: bytes_on_disk(&files),
        last_used_at: snapshot
            .last_used
            .and_then(|time| Timestamp::try_from(time).ok()),
        state: state.into(),
        path: path.display().to_string(),
        files: files.into_iter().map(model_file).collect(),
    }
}

/// A blob that several paths share is counted once.
fn bytes_on_disk(files: &[&StoredFile]) -> u64 {
    let by_blob: BTreeMap<&str, u64> = files
        .iter()
        .filter_map(|file| {
            let blob = file
                .blob
                .as_ref()
                .map_or(file.path.as_str(), |blob| blob.as_str());
            Some((blob, file.size_bytes?))
        })
        .collect();
    by_blob.values().sum()
}

fn model_file(file: &StoredFile) -> ModelFile {
    ModelFile {
        path: file.path.as_str().to_owned(),
        bytes: file.size_bytes,
        blob: file.blob.as_ref().map(ToString::to_string),
    }
}
