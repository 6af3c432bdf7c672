//! What the result codes of SQLite mean to the registry (<https://www.sqlite.org/rescode.html>).

use std::path::Path;

use crate::{OpenError, RegistryError};

const BUSY: i64 = 5;
const LOCKED: i64 = 6;
const CORRUPT: i64 = 11;
const FULL: i64 = 13;
const NOT_A_DATABASE: i64 = 26;
/// The WAL's index could not be made larger: it is written before the WAL, and where it does not fit there is no
/// code but this one. Every other write that finds no space is `FULL`.
const IOERR_SHMSIZE: i64 = 4874;

impl From<sqlx::Error> for RegistryError {
    fn from(source: sqlx::Error) -> Self {
        match code(&source) {
            Some((FULL, _) | (_, IOERR_SHMSIZE)) => Self::DiskFull(source),
            Some((BUSY | LOCKED, _)) => Self::Busy(source),
            Some(_) | None => Self::Database(source),
        }
    }
}

/// Why a database could not be opened.
pub(super) fn open_failure(path: &Path, source: sqlx::Error) -> OpenError {
    let path = path.to_owned();
    match code(&source) {
        Some((CORRUPT | NOT_A_DATABASE, _)) => OpenError::Damaged { path, source },
        Some(_) | None => OpenError::File {
            path,
            source: std::io::Error::other(source),
        },
    }
}

/// The primary result code, which is the low byte of the extended one, and the extended one.
fn code(error: &sqlx::Error) -> Option<(i64, i64)> {
    let extended = error.as_database_error()?.code()?.parse::<i64>().ok()?;
    Some((extended & 0xff, extended))
}
