//! From a reference to the files to fetch, at one commit.

use std::{collections::HashSet, sync::Arc, time::Duration};

use downloader::Digest;
use model_store::{Commit, RepoFolder, RepoId, RepoKind, RepoPath};
use tokio::time::Instant;

use super::{
    DownloadRequest, Inner, blocking,
    events::Events,
    failure, origin,
    patience::{Asker, Question},
    planned::{Identity, Planned, Target},
    space::Space,
};
use crate::{
    Access, HubErrorKind, Notice, Plan, PlannedFile, ProvisionError, ProvisionEvent,
    ProvisionPhase,
    hub::{PinnedCommit, TreeFile},
    selection::{self, ListedFile, Selection, Wanted},
};

/// A listing: whole, or the names alone.
struct Listing {
    files: Vec<TreeFile>,
    has_sizes: bool,
}

impl Inner {
    /// Resolves and plans, and asks whether the files may be fetched; within the limit for a listing.
    pub(crate) async fn plan_only(
        &self,
        request: &DownloadRequest,
    ) -> Result<Plan, ProvisionError> {
        let deadline = Instant::now() + self.hub.limits().tree;
        let mut planned = self.plan_until(request, deadline).await?;
        let asking = self.access(&planned);
        planned.plan.access = tokio::time::timeout_at(deadline, asking)
            .await
            .unwrap_or(Access::Unchecked);
        Ok(planned.plan)
    }

    /// Resolves and plans for a person who waits for it: without a network it says so at once.
    pub(crate) async fn plan_until(
        &self,
        request: &DownloadRequest,
        deadline: Instant,
    ) -> Result<Planned, ProvisionError> {
        let repo = request.model.repo();
        let nobody = Events::none();
        let question = Question {
            deadline: Some(deadline),
            network_patience: Duration::ZERO,
            ..self.question(repo, &nobody, Asker::Download(ProvisionPhase::Resolving))
        };
        let pinned = question
            .ask(|| self.hub.pin(repo, request.model.revision()))
            .await
            .map_err(|error| failure::of_hub(error, repo, &self.hub))?;
        self.list(request, pinned, &question).await
    }

    /// Resolves and plans for a download.
    pub(crate) async fn prepare(
        self: &Arc<Self>,
        request: &DownloadRequest,
        events: &Events,
    ) -> Result<Planned, ProvisionError> {
        events
            .send(ProvisionEvent::Phase(ProvisionPhase::Resolving))
            .await?;
        let repo = request.model.repo();
        tracing::info!(model.reference = %request.model, "resolving");
        let resolving = Asker::Download(ProvisionPhase::Resolving);
        let pinned = self
            .question(repo, events, resolving)
            .ask(|| self.hub.pin(repo, request.model.revision()))
            .await
            .map_err(|error| failure::of_hub(error, repo, &self.hub))?;
        tracing::info!(model.repo = %repo, model.commit = %pinned.commit, "resolved");
        events
            .send(ProvisionEvent::Phase(ProvisionPhase::Planning))
            .await?;
        let planning = Asker::Download(ProvisionPhase::Planning);
        let question = Question {
            deadline: Some(Instant::now() + self.hub.limits().tree),
            ..self.question(repo, events, planning)
        };
        let planned = self.list(request, pinned, &question).await?;
        self.tell_of_other_commits(&planned, events).await?;
        Ok(planned)
    }

    /// Where a branch has moved since a partial was begun, says what is kept and how to finish it.
    async fn tell_of_other_commits(
        self: &Arc<Self>,
        planned: &Planned,
        events: &Events,
    ) -> Result<(), ProvisionError> {
        let (inner, repo) = (Arc::clone(self), planned.repo.clone());
        let wanted: HashSet<Digest> = planned.needs().iter().map(|need| need.digest).collect();
        let kept = blocking(move || {
            origin::kept(&inner.store, &repo, &inner.boot_id, |digest| {
                !wanted.contains(digest) && !inner.sharing.is_running(digest)
            })
        });
        for (commit, bytes) in kept.await? {
            if commit.as_str() == planned.plan.commit || bytes == 0 {
                continue;
            }
            let notice = Notice::KeptFromOtherCommit {
                repo: planned.plan.repo.clone(),
                commit: commit.to_string(),
                bytes,
            };
            events.send(ProvisionEvent::Notice(notice)).await?;
        }
        Ok(())
    }

    /// Lists, selects and compares with the store.
    async fn list(
        &self,
        request: &DownloadRequest,
        pinned: PinnedCommit,
        question: &Question<'_>,
    ) -> Result<Planned, ProvisionError> {
        let repo = request.model.repo();
        let commit = pinned.commit.clone();
        let listing = self.listing(pinned, question).await?;
        let paths = safe_paths(repo, &listing.files)?;
        let listed: Vec<ListedFile> = listing
            .files
            .iter()
            .map(|file| ListedFile {
                path: file.path.clone(),
                bytes: listing.has_sizes.then_some(file.bytes),
            })
            .collect();
        let wanted = Wanted {
            selector: request.model.selector(),
            include: &request.include,
            exclude: &request.exclude,
            all_files: request.all_files,
            is_dataset: repo.kind() == RepoKind::Dataset,
        };
        let selection = selection::select(&listed, &wanted)
            .map_err(|error| failure::of_selection(error, repo, wanted.selector))?;
        let targets = targets(&listing, &paths, &selection)?;
        let folder = self.store.repo(repo);
        let (targets, space) = self
            .compare(folder.clone(), targets, request.force_download)
            .await?;
        let main = selection.main.map(|at| paths[at].clone());
        let plan = plan(request, &commit, &targets, selection, main.as_ref(), space);
        tracing::info!(
            model.repo = %repo,
            plan.files = plan.files.len(),
            plan.size_bytes = plan.bytes_total,
            plan.reused_bytes = plan.bytes_reused,
            store.free_bytes = space.free_bytes,
            store.reserved_bytes = space.reserved_bytes,
            "planned"
        );
        Ok(Planned {
            plan,
            repo: repo.clone(),
            folder,
            commit,
            targets,
            main,
        })
    }

    /// The listing with sizes and hashes, or after the limit the names that came with the commit.
    async fn listing(
        &self,
        pinned: PinnedCommit,
        question: &Question<'_>,
    ) -> Result<Listing, ProvisionError> {
        let started = Instant::now();
        let repo = question.repo;
        let failed = match question.ask(|| self.hub.tree(repo, &pinned.commit)).await {
            Ok(files) => {
                let files = sorted(files);
                let has_sizes = true;
                return Ok(Listing { files, has_sizes });
            }
            Err(error) => error,
        };
        // Without the names that came with the commit there is nothing to go on with.
        let is_final = !matches!(failed.kind, HubErrorKind::Transfer(_));
        if is_final || pinned.names.is_empty() {
            return Err(failure::of_hub(failed, repo, &self.hub));
        }
        let reason = failed.to_string();
        let waited = started.elapsed();
        tracing::warn!(
            model.repo = %repo,
            hub.error = reason,
            hub.waited_ms = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX),
            "size unknown"
        );
        question
            .events
            .send(ProvisionEvent::Notice(Notice::SizeUnknown {
                waited,
                reason,
            }))
            .await?;
        let files = pinned.names.into_iter().map(|path| TreeFile {
            path,
            bytes: 0,
            digest: None,
        });
        Ok(Listing {
            files: sorted(files.collect()),
            has_sizes: false,
        })
    }

    /// Marks what the store already has, and asks how much it can take.
    async fn compare(
        &self,
        folder: RepoFolder,
        mut targets: Vec<Target>,
        force: bool,
    ) -> Result<(Vec<Target>, Space), ProvisionError> {
        let space = Arc::clone(&self.space);
        blocking(move || {
            for target in &mut targets {
                if let Some(identity) = &target.identity {
                    let is_here = folder.has_blob(&identity.blob, identity.bytes);
                    let is_here = is_here.map_err(failure::of_store)?;
                    target.is_here = is_here && !force;
                    target.is_replaced = is_here && force;
                }
            }
            Ok((targets, space.space()?))
        })
        .await
    }

    /// Whether the Hub serves the selected file, or the first one.
    async fn access(&self, planned: &Planned) -> Access {
        let first = planned.targets.first().map(|target| &target.path);
        let Some(path) = planned.main.as_ref().or(first) else {
            return Access::Unchecked;
        };
        match self
            .hub
            .resolve(&planned.repo, &planned.commit, path.as_str())
            .await
        {
            Ok(_) => Access::Granted,
            Err(error) => match error.kind {
                HubErrorKind::Denied(_) => Access::Denied,
                HubErrorKind::Missing(_) | HubErrorKind::Transfer(_) => Access::Unchecked,
            },
        }
    }
}

fn sorted(mut files: Vec<TreeFile>) -> Vec<TreeFile> {
    files.sort_unstable_by(|one, other| one.path.cmp(&other.path));
    files.dedup_by(|one, other| one.path == other.path);
    files
}

/// One unsafe name refuses the whole repository: whoever made it did not mean well.
fn safe_paths(repo: &RepoId, files: &[TreeFile]) -> Result<Vec<RepoPath>, ProvisionError> {
    let safe = |file: &TreeFile| {
        RepoPath::new(&file.path).map_err(|refused| ProvisionError::UnsafeRemoteName {
            repo: repo.to_string(),
            path: file.path.clone(),
            reason: refused.reason.to_owned(),
        })
    };
    files.iter().map(safe).collect()
}

fn targets(
    listing: &Listing,
    paths: &[RepoPath],
    selection: &Selection,
) -> Result<Vec<Target>, ProvisionError> {
    let target = |(at, index): (&usize, u32)| {
        let file = &listing.files[*at];
        let identity = match (listing.has_sizes, file.digest) {
            (false, _) => None,
            (true, Some(digest)) => Some(Identity::new(digest, file.bytes)?),
            (true, None) => {
                let path = file.path.clone();
                return Err(ProvisionError::NoHash { path });
            }
        };
        Ok(Target {
            index,
            path: paths[*at].clone(),
            identity,
            is_here: false,
            is_replaced: false,
        })
    };
    selection.files.iter().zip(1..).map(target).collect()
}

fn plan(
    request: &DownloadRequest,
    commit: &Commit,
    targets: &[Target],
    selection: Selection,
    main: Option<&RepoPath>,
    space: Space,
) -> Plan {
    let bytes_of = |target: &Target| target.identity.as_ref().map(|identity| identity.bytes);
    let bytes_total: Option<u64> = targets.iter().map(bytes_of).sum();
    // Of files that share a blob, one is fetched and the others find it.
    let mut seen = HashSet::new();
    let files: Vec<PlannedFile> = targets
        .iter()
        .map(|target| {
            let is_first = target
                .identity
                .as_ref()
                .is_none_or(|identity| seen.insert(&identity.blob));
            let reused = target.is_here || !is_first;
            PlannedFile {
                path: target.path.to_string(),
                bytes: bytes_of(target),
                sha256: target.identity.as_ref().and_then(Identity::sha256),
                bytes_reused: bytes_of(target).filter(|_| reused).unwrap_or(0),
            }
        })
        .collect();
    let bytes_reused = files.iter().map(|file| file.bytes_reused).sum();
    Plan {
        repo: request.model.repo().to_string(),
        revision: request.model.revision().to_owned(),
        commit: commit.to_string(),
        selector: selection.selector,
        main: main.map(ToString::to_string),
        files,
        shards: selection.shards,
        bytes_total,
        bytes_reused,
        bytes_to_fetch: bytes_total.map(|total| total.saturating_sub(bytes_reused)),
        free_bytes: space.free_bytes,
        reserved_bytes: space.reserved_bytes,
        left_out: selection.left_out,
        others: selection.others,
        access: Access::Unchecked,
    }
}
