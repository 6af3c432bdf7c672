//! A hive brings the databases of every earlier one along: jobs, events and idempotency keys are all there.

use std::path::Path;

use hive_api::JobState;
use sqlx::{ConnectOptions, Connection, Row, SqliteConnection, sqlite::SqliteConnectOptions};

use super::MIGRATIONS;
use crate::{WriteObserver, database::Database};

/// A dump of each version before the newest, with jobs in every state.
const RELEASED: &[&str] = &[include_str!("released/1.sql")];

/// Everything that a database says of jobs in columns that every version has.
async fn contents(database: &mut SqliteConnection) -> Vec<Vec<String>> {
    let tables = [
        "SELECT number || '', job_id, kind, state, attempt || '', sequence || '', \
         COALESCE(finished_at_ms, '') || '', job FROM jobs ORDER BY number",
        "SELECT job_id, sequence || '', name, at_ms || '', body FROM events ORDER BY job_id, sequence",
        "SELECT principal, idempotency_key, request, job_id, created_at_ms || '' \
         FROM idempotency_keys ORDER BY idempotency_key",
    ];
    let mut contents = Vec::new();
    for select in tables {
        let rows = sqlx::query(select).fetch_all(&mut *database).await.unwrap();
        assert!(!rows.is_empty());
        contents.extend(rows.iter().map(|row| {
            let texts = (0..row.len()).map(|column| row.get::<String, _>(column));
            texts.collect()
        }));
    }
    contents
}

async fn connect(path: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true);
    // A dump has events before the jobs that they belong to.
    options.foreign_keys(false).connect().await.unwrap()
}

#[tokio::test]
async fn a_database_of_every_released_version_keeps_what_it_has() {
    assert_eq!(
        RELEASED.len() + 1,
        MIGRATIONS.len(),
        "a version lacks its dump"
    );
    for dump in RELEASED {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hive.db");
        let mut old = connect(&path).await;
        sqlx::raw_sql(*dump).execute(&mut old).await.unwrap();
        let before = contents(&mut old).await;
        old.close().await.unwrap();

        let database = Database::open(&path, WriteObserver::none()).await.unwrap();
        let counts = database.count_jobs().await.unwrap();
        for state in JobState::ALL {
            assert!(
                counts.iter().any(|count| count.state == state.into()),
                "{state:?}"
            );
        }
        let unfinished = database.unfinished().await.unwrap();
        assert_eq!(unfinished.len(), 6);
        database.close().await;

        let mut new = connect(&path).await;
        assert_eq!(contents(&mut new).await, before);
        let version: i64 = sqlx::query_scalar("PRAGMA user_version")
            .fetch_one(&mut new)
            .await
            .unwrap();
        assert_eq!(usize::try_from(version).unwrap(), MIGRATIONS.len());
    }
}
