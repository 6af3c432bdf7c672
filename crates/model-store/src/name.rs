//! The names that become paths in the store, each checked when it is made: a value of these types is safe to join.

mod path;
mod repo;

use std::fmt;

pub use path::{RefName, RepoPath};
pub use repo::{RepoId, RepoKind};

/// A name that is not what it must be, or that would lead out of the store.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unsafe {what} `{}`: {reason}", .name.escape_default())]
pub struct UnsafeName {
    /// What the name was to be: a repository, a path, a ref, a commit, a blob.
    pub what: &'static str,
    /// The name as it came. It may hold control characters; Display escapes them.
    pub name: String,
    /// The rule that it breaks.
    pub reason: &'static str,
}

impl UnsafeName {
    fn new(what: &'static str, name: &str, reason: &'static str) -> Self {
        Self {
            what,
            name: name.to_owned(),
            reason,
        }
    }
}

/// A commit: 40 lower-case hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Commit(String);

impl Commit {
    /// Checks the digits.
    pub fn new(name: &str) -> Result<Self, UnsafeName> {
        if name.len() == 40 && is_lower_hex(name) {
            Ok(Self(name.to_owned()))
        } else {
            let reason = "it is not 40 lower-case hexadecimal digits";
            Err(UnsafeName::new("commit", name, reason))
        }
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Commit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A blob's name, its hash: 64 lower-case hexadecimal digits of a sha256, or 40 of a git blob sha1.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobName(String);

impl BlobName {
    /// Checks the digits.
    pub fn new(name: &str) -> Result<Self, UnsafeName> {
        if matches!(name.len(), 40 | 64) && is_lower_hex(name) {
            Ok(Self(name.to_owned()))
        } else {
            let reason = "it is not 64 or 40 lower-case hexadecimal digits";
            Err(UnsafeName::new("blob", name, reason))
        }
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BlobName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// One revision of a repository in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Revision {
    /// A commit.
    Commit(Commit),
    /// What a ref points to.
    Ref(RefName),
}

impl Revision {
    /// Takes 40 lower-case hexadecimal digits for a commit and everything else for a ref.
    pub fn new(name: &str) -> Result<Self, UnsafeName> {
        match Commit::new(name) {
            Ok(commit) => Ok(Self::Commit(commit)),
            Err(_) => RefName::new(name).map(Self::Ref),
        }
    }
}

fn is_lower_hex(text: &str) -> bool {
    text.bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests;
