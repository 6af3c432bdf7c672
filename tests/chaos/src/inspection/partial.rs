//! Looks at a partial: it has a record, and the record claims what is there.

use std::{
    fs,
    ops::Range,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};
use fake_hub::Content;
use serde_json::Value;

use super::same_bytes;

const RECORD: &str = ".json";
const NOTE: &str = ".commit";

/// Whether a name in `blobs/` is of a partial's record, or of the note of its commit.
pub(super) fn is_companion(name: &str) -> bool {
    [RECORD, NOTE]
        .iter()
        .any(|suffix| name.ends_with(&format!(".hive-partial{suffix}")))
}

/// The partial to which a record or a note belongs.
pub(super) fn owner(companion: &Path) -> PathBuf {
    companion.with_extension("")
}

/// Whether the record proves no more than the file holds; `content` is what it is to hold.
pub(super) fn look(path: &Path, content: Option<&Content>) -> Result<()> {
    let claimed = claimed(path)?.context("a partial without a record")?;
    let end = claimed.last().map_or(0, |last| last.end);
    let size = fs::symlink_metadata(path)?.len();
    ensure!(end <= size, "its record claims {end} bytes of {size}");
    match content {
        Some(content) => same_bytes(path, content, &claimed),
        None => Ok(()),
    }
}

/// The bytes that the record of a partial claims; none without a partial, or without a record.
pub(super) fn claimed_bytes(path: &Path) -> Result<u64> {
    if !path.exists() {
        return Ok(0);
    }
    let claimed = claimed(path)?.unwrap_or_default();
    Ok(claimed
        .iter()
        .map(|stretch| stretch.end - stretch.start)
        .sum())
}

/// The stretches of the record's last line; none if there is no record, or one that does not say whose bytes these are.
fn claimed(partial: &Path) -> Result<Option<Vec<Range<u64>>>> {
    let mut record = partial.as_os_str().to_owned();
    record.push(RECORD);
    let text = match fs::read_to_string(record) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let lines: Vec<Value> = text
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()
        .context("a record that cannot be read")?;
    let (Some(first), Some(last)) = (lines.first(), lines.last()) else {
        bail!("an empty record");
    };
    if first.get("digest").is_none() {
        return Ok(None);
    }
    let pairs = last.get("segments").or_else(|| last.get("synced"));
    let pairs = pairs.context("a record without segments")?.clone();
    let pairs: Vec<[u64; 2]> = serde_json::from_value(pairs)?;
    Ok(Some(
        pairs.into_iter().map(|[start, end]| start..end).collect(),
    ))
}
