//! Relative paths that came from elsewhere: of a file in a repository, and of a ref.

use std::fmt;

use super::UnsafeName;

/// A file's path in its repository: relative, its parts joined by `/`, safe under the rules of every system.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepoPath(String);

impl RepoPath {
    /// Checks that the path stays where it is put.
    pub fn new(path: &str) -> Result<Self, UnsafeName> {
        match broken_rule(path) {
            None => Ok(Self(path.to_owned())),
            Some(reason) => Err(UnsafeName::new("path", path, reason)),
        }
    }

    /// The path with `/` between its parts.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The folders that lead to the file, outermost first, and its own name.
    pub(crate) fn folders_and_name(&self) -> (Vec<&str>, &str) {
        match self.0.rsplit_once('/') {
            Some((folders, name)) => (folders.split('/').collect(), name),
            None => (Vec::new(), &self.0),
        }
    }
}

impl fmt::Display for RepoPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The name of a branch, a tag or a pull request: `main`, `v1.0`, `refs/pr/1`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RefName(RepoPath);

impl RefName {
    /// Checks that the name stays under `refs/`.
    pub fn new(name: &str) -> Result<Self, UnsafeName> {
        match RepoPath::new(name) {
            Ok(path) => Ok(Self(path)),
            Err(error) => Err(UnsafeName::new("ref", name, error.reason)),
        }
    }

    /// The name with `/` between its parts.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    pub(crate) fn folders_and_name(&self) -> (Vec<&str>, &str) {
        self.0.folders_and_name()
    }
}

impl fmt::Display for RefName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// The longest name of a file that the usual file systems take.
const LONGEST_PART_BYTES: usize = 255;

/// The longest path that is taken: with the store before it, it must stay under the 4,096 of Linux.
const LONGEST_PATH_BYTES: usize = 2048;

fn broken_rule(path: &str) -> Option<&'static str> {
    if path.is_empty() {
        return Some("it is empty");
    }
    if path.len() > LONGEST_PATH_BYTES {
        return Some("it is too long");
    }
    if path.chars().any(char::is_control) {
        return Some("it has a control character");
    }
    if path.contains('\\') {
        return Some("it has a backslash");
    }
    if path.starts_with('/') {
        return Some("it is absolute");
    }
    path.split('/').find_map(|part| match part {
        "" => Some("a part of it is empty"),
        "." | ".." => Some("a part of it is `.` or `..`"),
        part if has_drive_letter(part) => Some("a part of it begins with a drive letter"),
        part if part.len() > LONGEST_PART_BYTES => Some("a part of it is too long"),
        _ => None,
    })
}

fn has_drive_letter(part: &str) -> bool {
    matches!(part.as_bytes(), [letter, b':', ..] if letter.is_ascii_alphabetic())
}
