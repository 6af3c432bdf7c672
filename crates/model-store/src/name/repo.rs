//! The name of a repository and the folder that it has in the store.

use std::fmt;

use super::UnsafeName;

/// What a repository holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RepoKind {
    /// A model.
    Model,
    /// A dataset.
    Dataset,
}

impl RepoKind {
    const fn folder_prefix(self) -> &'static str {
        match self {
            Self::Model => "models",
            Self::Dataset => "datasets",
        }
    }
}

/// A repository of the Hub: `org/name`, or `name` for the few that have no organisation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepoId {
    kind: RepoKind,
    name: String,
}

/// What stands between the parts of a repository's folder name, and so may not stand in a part.
const SEPARATOR: &str = "--";

impl RepoId {
    /// Checks the name by the Hub's rules (`huggingface_hub` documentation, `validate_repo_id`): one or two parts of
    /// 96 letters, digits, `-`, `_` and `.` at most, none beginning or ending with `-` or `.`, no `--` or `..`.
    pub fn new(kind: RepoKind, name: &str) -> Result<Self, UnsafeName> {
        let refuse = |reason| Err(UnsafeName::new("repository", name, reason));
        if name.split('/').any(|part| part.len() > 96) {
            return refuse("a part is longer than 96 characters");
        }
        if name.contains(SEPARATOR) || name.contains("..") {
            return refuse("it contains `--` or `..`");
        }
        if name.split('/').count() > 2 {
            return refuse("it has more than two parts");
        }
        if !name.split('/').all(is_part) {
            return refuse(
                "a part is empty or has characters other than letters, digits, `-`, `_`, `.`",
            );
        }
        Ok(Self {
            kind,
            name: name.to_owned(),
        })
    }

    /// What it holds.
    pub const fn kind(&self) -> RepoKind {
        self.kind
    }

    /// `org/name`, without the kind.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The folder in the store: `models--org--name`, `datasets--org--name`.
    pub fn folder_name(&self) -> String {
        let name = self.name.replace('/', SEPARATOR);
        format!("{}{SEPARATOR}{name}", self.kind.folder_prefix())
    }

    /// The repository of such a folder; `None` for a folder that is none of a model or a dataset.
    pub(crate) fn of_folder_name(folder_name: &str) -> Option<Self> {
        let (prefix, name) = folder_name.split_once(SEPARATOR)?;
        let kind = [RepoKind::Model, RepoKind::Dataset]
            .into_iter()
            .find(|kind| kind.folder_prefix() == prefix)?;
        Self::new(kind, &name.replacen(SEPARATOR, "/", 1)).ok()
    }
}

impl fmt::Display for RepoId {
    /// `org/name`, with `datasets/` before it for a dataset.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.kind == RepoKind::Dataset {
            formatter.write_str("datasets/")?;
        }
        formatter.write_str(&self.name)
    }
}

fn is_part(part: &str) -> bool {
    let is_edge = |edge: Option<char>| edge.is_some_and(|edge| !matches!(edge, '-' | '.'));
    is_edge(part.chars().next())
        && is_edge(part.chars().next_back())
        && part
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.'))
}
