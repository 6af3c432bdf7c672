//! Making the database's file and bringing its schema up to date, forward only.

use std::path::Path;

use sqlx::SqlitePool;

use super::failure::open_failure;
use crate::OpenError;

/// The schema's steps; the last one's place is the newest version this build knows.
const MIGRATIONS: &[&str] = &[
    include_str!("0001_jobs.sql"),
    include_str!("0002_retention.sql"),
];

/// Applies the steps that are missing, each in a transaction of its own; a newer schema is refused.
pub(super) async fn bring_up_to_date(writer: &SqlitePool, path: &Path) -> Result<(), OpenError> {
    let failed = |source| open_failure(path, source);
    let found = schema_version(writer).await.map_err(failed)?;
    let known = MIGRATIONS.len();
    let Some(missing) = usize::try_from(found)
        .ok()
        .and_then(|at| MIGRATIONS.get(at..))
    else {
        return Err(OpenError::Newer {
            path: path.to_owned(),
            found,
            known: i64::try_from(known).unwrap_or(i64::MAX),
        });
    };
    for migration in missing {
        migrate(writer, migration).await.map_err(failed)?;
    }
    Ok(())
}

/// Reads every page once, so that damage is found before a job relies on it
/// (<https://www.sqlite.org/pragma.html#pragma_quick_check>).
pub(super) async fn check_pages(writer: &SqlitePool, path: &Path) -> Result<(), OpenError> {
    let checked: Result<String, _> = sqlx::query_scalar("PRAGMA quick_check(1)")
        .fetch_one(writer)
        .await;
    let verdict = checked.map_err(|source| open_failure(path, source))?;
    if verdict == "ok" {
        return Ok(());
    }
    Err(OpenError::Damaged {
        path: path.to_owned(),
        source: sqlx::Error::Protocol(verdict),
    })
}

/// Makes the file with mode 0600 if it is not there; SQLite gives its WAL the mode of the database.
pub(super) async fn make_private(path: &Path) -> Result<(), OpenError> {
    tokio::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
        .await
        .map(drop)
        .map_err(|source| OpenError::File {
            path: path.to_owned(),
            source,
        })
}

async fn schema_version(pool: &SqlitePool) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("PRAGMA user_version")
        .fetch_one(pool)
        .await
}

async fn migrate(pool: &SqlitePool, migration: &'static str) -> Result<(), sqlx::Error> {
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
    sqlx::raw_sql(migration).execute(&mut *transaction).await?;
    transaction.commit().await
}

#[cfg(test)]
mod tests;
