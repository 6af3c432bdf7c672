//! Files that hive writes for systemd, and how it knows one again that nobody has changed.

use std::{
    fmt::Write,
    fs, io,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use super::{ServiceError, steps::Step};

/// What stands in a file.
#[derive(Debug)]
pub(super) enum Content {
    /// It is hive's: renewed by the next install, refused where a person has changed it.
    Ours(String),
    /// It is the person's from the first day: never touched where there is one.
    Example(&'static str),
}

impl Content {
    /// Ours, with a first line by which it is known again.
    pub(super) fn ours(body: &str) -> Self {
        Self::Ours(format!("{}\n{body}", mark(body)))
    }

    pub(super) fn text(&self) -> &str {
        match self {
            Self::Ours(text) => text,
            Self::Example(text) => text,
        }
    }
}

/// Refuses files in the way of these steps that are not as hive wrote them.
pub(super) fn check_untouched(steps: &[Step]) -> Result<(), ServiceError> {
    let paths = steps.iter().filter_map(|step| match step {
        Step::Write {
            path,
            content: Content::Ours(_),
        }
        | Step::Remove(path) => Some(path),
        Step::Write { .. } | Step::Run(_) => None,
    });
    for path in paths {
        if !is_untouched(path)? {
            return Err(ServiceError::ChangedByHand { path: path.clone() });
        }
    }
    Ok(())
}

fn is_untouched(path: &PathBuf) -> Result<bool, ServiceError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(text
            .split_once('\n')
            .is_some_and(|(first, body)| first == mark(body))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(source) => Err(ServiceError::File {
            path: path.clone(),
            source,
            left: Vec::new(),
        }),
    }
}

/// Writes a file whole, with the folders above it. Says whether it was there already.
pub(super) fn write(path: &Path, content: &Content) -> io::Result<Written> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    if matches!(content, Content::Example(_)) && path.exists() {
        return Ok(Written::LeftAsItIs);
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    fs::write(&beside, content.text())?;
    fs::rename(&beside, path)?;
    Ok(Written::Wrote)
}

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// It has the content.
    Wrote,
    /// It was the person's already.
    LeftAsItIs,
}

fn mark(body: &str) -> String {
    let mut mark = "# Written by `hive service install`, sha256 of the rest: ".to_owned();
    for byte in Sha256::digest(body.as_bytes()) {
        // Writing to a String cannot fail.
        let _ = write!(mark, "{byte:02x}");
    }
    mark
}
