//! The record of a partial: which of its bytes are here, so that a later download can go on from them.
//!
//! A record is lines of JSON. The first is the checkpoint: whose bytes these are, and which of them were on the disk
//! when it was written. It is written whole to a new file, synced, and renamed into place, so that a power loss leaves
//! the old one or the new one. Each further line says which bytes were in the file at that moment; it is appended
//! without sync and counts only under the boot that wrote it, so what a power loss makes of it does not matter. (A
//! rename without a sync before it would not do: XFS may then be left with an empty file.)

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};

use crate::Digest;
use crate::boot::BootId;
use crate::segments::Segments;

const VERSION: u32 = 1;

/// A record is never longer than this; a longer file is not one.
const LONGEST_RECORD_BYTES: u64 = 64 * 1024 * 1024;

/// What a record must say to be of the file that is wanted.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) digest: Digest,
    pub(crate) size_bytes: u64,
    pub(crate) boot_id: BootId,
}

/// What a record proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claims {
    /// Bytes that are in the file.
    pub(crate) segments: Segments,
    /// Of these, bytes that are on the disk.
    pub(crate) synced: Segments,
    /// Whether the machine runs since the record was written.
    pub(crate) is_same_boot: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Checkpoint {
    version: u32,
    digest: String,
    size_bytes: u64,
    boot_id: String,
    synced: Vec<[u64; 2]>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Progress {
    segments: Vec<[u64; 2]>,
}

/// The file that holds a record.
#[derive(Debug)]
pub(crate) struct RecordFile {
    path: PathBuf,
    file: Option<File>,
}

impl Identity {
    /// What `text` proves of this file; `None` if it is of another one, or no record at all.
    pub(crate) fn claims(&self, text: &str) -> Option<Claims> {
        let mut lines = text.split_inclusive('\n');
        let checkpoint: Checkpoint = whole_line(lines.next()?)?;
        let is_ours = checkpoint.version == VERSION
            && checkpoint.size_bytes == self.size_bytes
            && checkpoint.digest == self.digest.to_string();
        if !is_ours {
            return None;
        }
        let synced = self.segments(&checkpoint.synced)?;
        let is_same_boot = self.boot_id.is(&checkpoint.boot_id);
        let mut segments = synced.clone();
        if is_same_boot {
            // The last line may have been cut off by the end of the process.
            for line in lines {
                let Some(progress) = whole_line::<Progress>(line) else {
                    break;
                };
                segments = self.segments(&progress.segments)?;
            }
        }
        Some(Claims {
            segments,
            synced,
            is_same_boot,
        })
    }

    pub(crate) fn checkpoint(&self, synced: &Segments) -> Vec<u8> {
        line(&Checkpoint {
            version: VERSION,
            digest: self.digest.to_string(),
            size_bytes: self.size_bytes,
            boot_id: self.boot_id.to_string(),
            synced: pairs(synced),
        })
    }

    fn segments(&self, pairs: &[[u64; 2]]) -> Option<Segments> {
        let stretches = pairs.iter().map(|[start, end]| *start..*end).collect();
        let segments = Segments::from_sorted(stretches)?;
        (segments.end() <= self.size_bytes).then_some(segments)
    }
}

impl Claims {
    /// What `text` proves of a file with this digest, whatever its size.
    pub(crate) fn of(text: &str, digest: Digest, boot_id: &BootId) -> Option<Self> {
        let checkpoint: Checkpoint = whole_line(text.split_inclusive('\n').next()?)?;
        let identity = Identity {
            digest,
            size_bytes: checkpoint.size_bytes,
            boot_id: boot_id.clone(),
        };
        identity.claims(text)
    }
}

impl RecordFile {
    /// The record beside `partial`. Touches nothing yet.
    pub(crate) fn beside(partial: &Path) -> Self {
        Self {
            path: path_beside(partial),
            file: None,
        }
    }

    /// Reads the record; `None` if there is none that could be ours.
    pub(crate) fn read(&self) -> Option<String> {
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(flags.bits().cast_signed())
            .open(&self.path)
            .ok()?;
        let metadata = file.metadata().ok()?;
        if !metadata.is_file() || metadata.len() > LONGEST_RECORD_BYTES {
            return None;
        }
        io::read_to_string(file).ok()
    }

    /// Says which bytes are in the file now. False if there is no record yet to say it in.
    pub(crate) fn append(&mut self, segments: &Segments) -> io::Result<bool> {
        let Some(file) = &mut self.file else {
            return Ok(false);
        };
        file.write_all(&progress(segments))?;
        Ok(true)
    }

    /// Takes back what was said since the checkpoint. Needs no room on the disk.
    pub(crate) fn keep_checkpoint(&mut self) -> io::Result<()> {
        self.file = None;
        let record = self.read().ok_or(io::ErrorKind::InvalidData)?;
        let checkpoint = record.split_inclusive('\n').next().unwrap_or_default();
        let file = OpenOptions::new().write(true).open(&self.path)?;
        file.set_len(checkpoint.len() as u64)
    }

    /// Removes the record.
    pub(crate) fn remove(&mut self) -> io::Result<()> {
        self.file = None;
        remove(&NewRecord::path_beside(&self.path))?;
        remove(&self.path)
    }
}

/// A checkpoint that is written and not yet in place.
pub(crate) struct NewRecord {
    path: PathBuf,
    file: File,
}

impl NewRecord {
    /// Writes and syncs a checkpoint beside the record of `partial`. May take as long as the disk does.
    pub(crate) fn write(
        partial: &Path,
        identity: &Identity,
        synced: &Segments,
    ) -> io::Result<Self> {
        let path = Self::path_beside(&path_beside(partial));
        remove(&path)?;
        let mut file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .mode(0o644)
            .open(&path)?;
        let written = file.write_all(&identity.checkpoint(synced)).and_then(|()| {
            // Before the first bytes are synced there is nothing that a power loss could spoil.
            if synced.bytes() > 0 {
                file.sync_all()
            } else {
                Ok(())
            }
        });
        if let Err(error) = written {
            // A full disk gets back what it could not hold.
            let _ = remove(&path);
            return Err(error);
        }
        Ok(Self { path, file })
    }

    /// Becomes the record, with what is in the file by now.
    pub(crate) fn take_place(
        mut self,
        record: &mut RecordFile,
        segments: &Segments,
    ) -> io::Result<()> {
        self.file.write_all(&progress(segments))?;
        fs::rename(&self.path, &record.path)?;
        record.file = Some(self.file);
        Ok(())
    }

    fn path_beside(record: &Path) -> PathBuf {
        record.with_extension("json.new")
    }
}

/// Where the record of `partial` is.
pub(crate) fn path_beside(partial: &Path) -> PathBuf {
    let mut path = partial.as_os_str().to_owned();
    path.push(".json");
    path.into()
}

pub(crate) fn progress(segments: &Segments) -> Vec<u8> {
    line(&Progress {
        segments: pairs(segments),
    })
}

fn line(value: &impl Serialize) -> Vec<u8> {
    // Numbers and strings alone: there is nothing in them that JSON cannot say.
    let mut line = serde_json::to_vec(value).unwrap_or_default();
    line.push(b'\n');
    line
}

fn whole_line<'a, T: Deserialize<'a>>(line: &'a str) -> Option<T> {
    serde_json::from_str(line.strip_suffix('\n')?).ok()
}

fn pairs(segments: &Segments) -> Vec<[u64; 2]> {
    segments.iter().map(|here| [here.start, here.end]).collect()
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
