//! What the Hub and its CDN have in common: repositories, accounts, signed URLs, the script and the records.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::account::Account;
use crate::cdn::SignedUrls;
use crate::repository::{Repository, RepositoryKind};
use crate::script::Rules;
use crate::traffic::Traffic;

#[derive(Debug)]
pub(crate) struct World {
    /// `http://address:port` of the Hub.
    pub(crate) endpoint: String,
    pub(crate) tree_page_entries: usize,
    pub(crate) accounts: Vec<Account>,
    pub(crate) signed_urls: SignedUrls,
    pub(crate) rules: Rules,
    pub(crate) hub: Traffic,
    pub(crate) cdn: Traffic,
    pub(crate) repositories: Mutex<Vec<Repository>>,
    pub(crate) token_leaks: Mutex<Vec<String>>,
    pub(crate) answers: AtomicU64,
}

impl World {
    pub(crate) fn repositories(&self) -> MutexGuard<'_, Vec<Repository>> {
        self.repositories
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn token_leaks(&self) -> MutexGuard<'_, Vec<String>> {
        self.token_leaks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The repository that an id means: its own, a former one, or its own in other case.
    pub(crate) fn find(&self, kind: RepositoryKind, id: &str) -> Option<Repository> {
        let repositories = self.repositories();
        let of_kind = || {
            repositories
                .iter()
                .filter(|repository| repository.kind == kind)
        };
        let exact = of_kind().find(|repository| repository.id == id);
        let moved = || {
            of_kind().find(|repository| {
                repository.id.eq_ignore_ascii_case(id)
                    || repository.former_ids.iter().any(|former| former == id)
            })
        };
        exact.or_else(moved).cloned()
    }

    /// Adds a repository, or a new state of one whose older commits stay readable.
    pub(crate) fn put(&self, repository: Repository) {
        let mut repository = repository.branch("main");
        let mut repositories = self.repositories();
        let same = |other: &Repository| other.kind == repository.kind && other.id == repository.id;
        if let Some(at) = repositories.iter().position(same) {
            for (hash, commit) in repositories.remove(at).commits {
                repository.commits.entry(hash).or_insert(commit);
            }
        }
        repositories.push(repository);
    }

    /// Lets a branch of a model repository name another commit; false if there is no such revision.
    pub(crate) fn move_branch(&self, id: &str, branch: &str, revision: &str) -> bool {
        let mut repositories = self.repositories();
        let Some(repository) = repositories
            .iter_mut()
            .find(|repository| repository.id == id)
        else {
            return false;
        };
        let Some(commit) = repository.revision(revision).cloned() else {
            return false;
        };
        repository.branches.insert(branch.to_owned(), commit);
        true
    }

    /// A number that no other answer has.
    pub(crate) fn next_answer(&self) -> u64 {
        self.answers.fetch_add(1, Ordering::Relaxed)
    }
}
