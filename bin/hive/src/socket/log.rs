//! The log of a hive that runs in the background: begun, put aside when it is large, and its last lines.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// A log of this size is put aside before the next start.
const LOG_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// How much of a log's end is read to show its last lines.
const LOG_TAIL_BYTES: u64 = 4096;
/// How many of its last lines are shown.
const LOG_TAIL_LINES: usize = 5;

/// Opens it at its end, closed to others.
pub(super) fn open(path: &Path) -> io::Result<File> {
    if fs::metadata(path).is_ok_and(|metadata| metadata.len() > LOG_BYTES_MAX) {
        fs::rename(path, path.with_extension("log.1"))?;
    }
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
}

/// The end of a log from this byte on, for a person.
pub(super) fn last_lines(path: &Path, start: u64) -> Vec<String> {
    let tail = || -> io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let tail_start = file.metadata()?.len().saturating_sub(LOG_TAIL_BYTES);
        file.seek(SeekFrom::Start(tail_start.max(start)))?;
        let mut tail = Vec::new();
        file.take(LOG_TAIL_BYTES).read_to_end(&mut tail)?;
        Ok(tail)
    };
    let tail = tail().unwrap_or_default();
    let text = String::from_utf8_lossy(&tail);
    let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    let first = lines.len().saturating_sub(LOG_TAIL_LINES);
    lines[first..].iter().map(|&line| line.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_log_is_put_aside_and_a_small_one_is_continued() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hive.log");
        fs::write(&path, "before\n").unwrap();
        drop(open(&path).unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "before\n");
        File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_len(LOG_BYTES_MAX + 1)
            .unwrap();
        drop(open(&path).unwrap());
        assert_eq!(fs::metadata(&path).unwrap().len(), 0);
        let aside = folder.path().join("hive.log.1");
        assert_eq!(fs::metadata(aside).unwrap().len(), LOG_BYTES_MAX + 1);
    }

    #[test]
    fn the_last_lines_of_a_log_are_shown_and_no_log_is_no_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hive.log");
        assert!(last_lines(&path, 0).is_empty());
        let text: Vec<String> = (0..2_000).map(|number| format!("line {number}")).collect();
        fs::write(&path, text.join("\n")).unwrap();
        let lines = last_lines(&path, 0);
        assert_eq!(lines.first().unwrap(), "line 1995");
        assert_eq!(lines.last().unwrap(), "line 1999");
        let earlier = fs::metadata(&path).unwrap().len() - "line 1999".len() as u64;
        assert_eq!(last_lines(&path, earlier), ["line 1999"]);
    }
}
