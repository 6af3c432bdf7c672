//! What the audit log's files hold, the newest first; lines that are not whole are passed over.

use std::{fs, io, path::Path};

use hive_api::{AuditEntry, StateFolder};

use super::writing::{OLD_FILES, numbered};

/// At most `limit` entries with numbers below `before`, the newest first. Needs no running hive. Blocks.
pub(crate) fn read(
    folder: &StateFolder,
    limit: usize,
    before: Option<u64>,
) -> io::Result<Vec<AuditEntry>> {
    newest(&folder.audit_log(), limit, before)
}

/// The number of the last line, 0 where there is none.
pub(super) fn last_sequence(path: &Path) -> io::Result<u64> {
    let last = newest(path, 1, None)?;
    Ok(last.first().map_or(0, |entry| entry.sequence))
}

fn newest(path: &Path, limit: usize, before: Option<u64>) -> io::Result<Vec<AuditEntry>> {
    let mut entries: Vec<AuditEntry> = Vec::new();
    for number in 0..=OLD_FILES {
        let text = match fs::read(numbered(path, number)) {
            Ok(text) => text,
            // Between two renames of a rotation one may be missing.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        for line in text.rsplit(|&byte| byte == b'\n') {
            if entries.len() >= limit {
                return Ok(entries);
            }
            let Ok(entry) = serde_json::from_slice::<AuditEntry>(line) else {
                continue;
            };
            // A file that was renamed while we read is not told twice.
            let bound = entries.last().map_or(before, |last| Some(last.sequence));
            if bound.is_none_or(|bound| entry.sequence < bound) {
                entries.push(entry);
            }
        }
    }
    Ok(entries)
}
