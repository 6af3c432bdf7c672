//! A plan with what the transfers need of it.

use downloader::Digest;
use model_store::{BlobName, Commit, RepoFolder, RepoId, RepoPath};

use super::space::Need;
use crate::{Plan, ProvisionError};

/// A plan with what the transfers need of it.
pub(crate) struct Planned {
    pub(crate) plan: Plan,
    pub(crate) repo: RepoId,
    pub(crate) folder: RepoFolder,
    pub(crate) commit: Commit,
    pub(crate) targets: Vec<Target>,
    pub(crate) main: Option<RepoPath>,
}

/// One file to have in the store.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// Its place in the plan, from 1.
    pub(crate) index: u32,
    pub(crate) path: RepoPath,
    /// `None` where the listing did not come in time.
    pub(crate) identity: Option<Identity>,
    /// Whether the store had it when the plan was made, and that is enough.
    pub(crate) is_here: bool,
    /// Whether the store had it then, and it is to be fetched all the same.
    pub(crate) is_replaced: bool,
}

/// What a file must be.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) digest: Digest,
    pub(crate) blob: BlobName,
    pub(crate) bytes: u64,
}

impl Planned {
    /// What the disk must hold for the files that are not here and whose size is known.
    pub(crate) fn needs(&self) -> Vec<Need> {
        let missing = self.targets.iter().filter(|target| !target.is_here);
        missing
            .filter_map(|target| target.identity.as_ref())
            .map(|identity| Need::new(identity, &self.folder))
            .collect()
    }

    /// Whether the store had this when the plan was made; what the plan did not know may have been there.
    pub(crate) fn may_replace(&self, blob: &BlobName) -> bool {
        let is_missing = |target: &Target| {
            let identity = target.identity.as_ref();
            identity.is_some_and(|identity| identity.blob == *blob) && !target.is_replaced
        };
        !self.targets.iter().any(is_missing)
    }

    /// Whether several files of the plan have the same bytes, so that one of them waits for another.
    pub(crate) fn has_twins(&self, blob: &BlobName) -> bool {
        let identities = self
            .targets
            .iter()
            .filter_map(|target| target.identity.as_ref());
        identities.filter(|identity| identity.blob == *blob).count() > 1
    }
}

impl Identity {
    pub(crate) fn new(digest: Digest, bytes: u64) -> Result<Self, ProvisionError> {
        let hash = digest.to_string();
        // A digest is written as the hexadecimal digits that a blob's name must be.
        let blob = BlobName::new(&hash).map_err(|_| ProvisionError::NoHash { path: hash })?;
        Ok(Self {
            digest,
            blob,
            bytes,
        })
    }

    /// The hash of a large file, hexadecimal.
    pub(crate) fn sha256(&self) -> Option<String> {
        match self.digest {
            Digest::Sha256(_) => Some(self.digest.to_string()),
            Digest::GitBlobSha1(_) => None,
        }
    }
}
