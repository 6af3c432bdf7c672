//! From a reference to the files to fetch, at one commit.

use std::collections::HashSet;

use model_store::{Commit, RepoFolder, RepoId, RepoKind, RepoPath};
use tokio::time::Instant;

use super::{
    DownloadRequest, Inner,
    events::Events,
    failure,
    patience::ask_patiently,
    planned::{Identity, Planned, Target},
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
        let limit = self.hub.limits().tree;
        let deadline = Instant::now() + limit;
        let repo = request.model.repo();
        let pinning = self.hub.pin(repo, request.model.revision());
        let pinned = match tokio::time::timeout_at(deadline, pinning).await {
            Ok(pinned) => pinned.map_err(|error| failure::of_hub(error, repo, &self.hub))?,
            Err(_) => return Err(failure::of_hub(self.hub.silent(repo), repo, &self.hub)),
        };
        let mut planned = self
            .list(request, pinned, deadline, &Events::none())
            .await?;
        let asking = self.access(&planned);
        planned.plan.access = tokio::time::timeout_at(deadline, asking)
            .await
            .unwrap_or(Access::Unchecked);
        Ok(planned.plan)
    }

    /// Resolves and plans for a download.
    pub(crate) async fn prepare(
        &self,
        request: &DownloadRequest,
        events: &Events,
    ) -> Result<Planned, ProvisionError> {
        events
            .send(ProvisionEvent::Phase(ProvisionPhase::Resolving))
            .await?;
        let repo = request.model.repo();
        let limits = self.hub.limits();
        tracing::info!(model.reference = %request.model, "resolving");
        let ask = || self.hub.pin(repo, request.model.revision());
        let pinned = ask_patiently(limits, events, None, ask)
            .await
            .map_err(|error| failure::of_hub(error, repo, &self.hub))?;
        tracing::info!(model.repo = %repo, model.commit = %pinned.commit, "resolved");
        events
            .send(ProvisionEvent::Phase(ProvisionPhase::Planning))
            .await?;
        self.list(request, pinned, Instant::now() + limits.tree, events)
            .await
    }

    /// Lists, selects and compares with the store.
    async fn list(
        &self,
        request: &DownloadRequest,
        pinned: PinnedCommit,
        deadline: Instant,
        events: &Events,
    ) -> Result<Planned, ProvisionError> {
        let repo = request.model.repo();
        let commit = pinned.commit.clone();
        let listing = self.listing(repo, pinned, deadline, events).await?;
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
        let (targets, free_bytes) = self
            .compare(folder.clone(), targets, request.force_download)
            .await?;
        let main = selection.main.map(|at| paths[at].clone());
        let plan = plan(
            request,
            &commit,
            &targets,
            selection,
            main.as_ref(),
            free_bytes,
        );
        tracing::info!(
            model.repo = %repo,
            plan.files = plan.files.len(),
            plan.size_bytes = plan.bytes_total,
            plan.reused_bytes = plan.bytes_reused,
            store.free_bytes = free_bytes,
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
        repo: &RepoId,
        pinned: PinnedCommit,
        deadline: Instant,
        events: &Events,
    ) -> Result<Listing, ProvisionError> {
        let started = Instant::now();
        let ask = || self.hub.tree(repo, &pinned.commit);
        let asking = ask_patiently(self.hub.limits(), events, None, ask);
        let failed = match tokio::time::timeout_at(deadline, asking).await {
            Ok(Ok(files)) => {
                let files = sorted(files);
                let has_sizes = true;
                return Ok(Listing { files, has_sizes });
            }
            Ok(Err(error)) => error,
            Err(_) => self.hub.silent(repo),
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
        events
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
    ) -> Result<(Vec<Target>, u64), ProvisionError> {
        let store = self.store.clone();
        let comparing = tokio::task::spawn_blocking(move || {
            for target in targets.iter_mut().filter(|_| !force) {
                if let Some(identity) = &target.identity {
                    target.is_here = folder.has_blob(&identity.blob, identity.bytes)?;
                }
            }
            Ok((targets, store.free_bytes()?))
        });
        match comparing.await {
            Ok(compared) => compared.map_err(failure::of_store),
            Err(lost) => Err(failure::of_lost_task(lost)),
        }
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
    free_bytes: u64,
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
        free_bytes,
        left_out: selection.left_out,
        others: selection.others,
        access: Access::Unchecked,
    }
}
