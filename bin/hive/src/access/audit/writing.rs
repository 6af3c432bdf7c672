//! The file of the audit log: appended to, synced, and followed by a new one when it is full.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use super::{AuditLogError, Done, reading::last_sequence};
use crate::state_folder::files::{self, OpenFileError};

/// A file that is larger gives way to a new one.
const ROTATE_AT_BYTES: u64 = 16 * 1024 * 1024;
/// Older files that are kept, `audit.log.1` the newest.
pub(super) const OLD_FILES: u32 = 4;
/// Lines that the disk refused and that are kept to be tried again.
const MOST_KEPT_LINES: usize = 10_000;

/// The name of an older file; 0 is the one that is written.
pub(super) fn numbered(path: &Path, number: u32) -> PathBuf {
    if number == 0 {
        return path.to_owned();
    }
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    PathBuf::from(name)
}

/// The file that is written.
pub(super) struct AuditFile {
    path: PathBuf,
    pub(super) file: File,
    /// Bytes of whole lines.
    bytes: u64,
    /// The number of the last line.
    last_sequence: u64,
    pub(super) rotate_at: u64,
}

impl AuditFile {
    /// Opens it at its end, which a crash may have left in the middle of a line.
    pub(super) fn open(path: &Path) -> Result<Self, AuditLogError> {
        let failed = |source| AuditLogError::Io {
            path: path.to_owned(),
            source,
        };
        let last_sequence = last_sequence(path).map_err(failed)?;
        let file = open_file(path).map_err(|error| match error {
            OpenFileError::Refused(error) => error.into(),
            OpenFileError::Io(source) => failed(source),
        })?;
        let mut opened = Self {
            bytes: file.metadata().map_err(failed)?.len(),
            path: path.to_owned(),
            file,
            last_sequence,
            rotate_at: ROTATE_AT_BYTES,
        };
        if opened.bytes > 0 && !ends_whole(path).map_err(failed)? {
            opened.append(b"\n").map_err(failed)?;
        }
        Ok(opened)
    }

    /// Appends and syncs, or leaves the file as it was.
    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        let written = self
            .file
            .write_all(lines)
            .and_then(|()| self.file.sync_data());
        match written {
            Ok(()) => {
                self.bytes += lines.len() as u64;
                Ok(())
            }
            Err(error) => {
                // Cut what was written of it. A disk that refuses that too leaves a line that readers pass over.
                let _ = self.file.set_len(self.bytes);
                Err(error)
            }
        }
    }

    fn rotate_if_full(&mut self) -> io::Result<()> {
        if self.bytes < self.rotate_at {
            return Ok(());
        }
        for number in (0..OLD_FILES).rev() {
            let renamed = fs::rename(
                numbered(&self.path, number),
                numbered(&self.path, number + 1),
            );
            match renamed {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        self.file = open_file(&self.path).map_err(|error| match error {
            OpenFileError::Refused(error) => io::Error::other(error),
            OpenFileError::Io(error) => error,
        })?;
        self.bytes = 0;
        let folder = self.path.parent().unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()
    }
}

fn open_file(path: &Path) -> Result<File, OpenFileError> {
    files::open(path, OpenOptions::new().append(true).create(true))
}

/// Whether the last line is whole.
fn ends_whole(path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::FileExt;

    let file = File::open(path)?;
    let mut last = [0];
    file.read_exact_at(&mut last, file.metadata()?.len() - 1)?;
    Ok(last == *b"\n")
}

/// Lines on their way to the file.
pub(super) struct Writer {
    pub(super) file: AuditFile,
    /// Lines that are not on the disk yet, each with its end.
    lines: Vec<Vec<u8>>,
}

impl Writer {
    pub(super) const fn new(file: AuditFile) -> Self {
        Self {
            file,
            lines: Vec::new(),
        }
    }

    /// Adds a line to those that wait.
    pub(super) fn add(&mut self, done: Option<Done>) {
        let Some(done) = done else {
            return;
        };
        if self.lines.len() >= MOST_KEPT_LINES {
            tracing::error!(
                audit.who = done.caller.name,
                audit.what = done.what,
                audit.target = done.target,
                "too many lines wait for the audit log, one is lost"
            );
            return;
        }
        self.file.last_sequence += 1;
        match serde_json::to_vec(&done.numbered(self.file.last_sequence)) {
            Ok(mut line) => {
                line.push(b'\n');
                self.lines.push(line);
            }
            Err(error) => tracing::error!(%error, "an audit line cannot be written"),
        }
    }

    /// Writes every line that waits and syncs them together.
    pub(super) fn write(&mut self) -> Result<(), io::ErrorKind> {
        if self.lines.is_empty() {
            return Ok(());
        }
        let lines = self.lines.concat();
        let written = self
            .file
            .rotate_if_full()
            .and_then(|()| self.file.append(&lines));
        match written {
            Ok(()) => {
                self.lines.clear();
                Ok(())
            }
            Err(error) => {
                tracing::error!(
                    %error,
                    audit.waiting_lines = self.lines.len(),
                    file.path = %self.file.path.display(),
                    "the audit log takes no line, trying again with the next"
                );
                Err(error.kind())
            }
        }
    }
}
