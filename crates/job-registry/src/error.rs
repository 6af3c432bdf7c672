//! Why the registry could not do what it was asked: one enum an operation.

use std::path::PathBuf;

use hive_api::{JobState, Open};

/// Why a registry could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The database's file cannot be made or reached.
    #[error("cannot open the database `{}`", path.display())]
    File {
        /// The database.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is no database, or its pages are damaged.
    #[error("the database `{}` is damaged", path.display())]
    Damaged {
        /// The database.
        path: PathBuf,
        /// What the database said.
        source: sqlx::Error,
    },
    /// A newer hive wrote it; this one would not understand it.
    #[error(
        "the database `{}` has schema version {found}, and this hive knows versions up to {known}",
        path.display()
    )]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its schema's version.
        found: i64,
        /// The newest version this build knows.
        known: i64,
    },
    /// What was left unfinished could not be read or put in order.
    #[error("cannot recover the jobs of `{}`", path.display())]
    Recover {
        /// The database.
        path: PathBuf,
        /// What went wrong.
        source: RegistryError,
    },
}

/// Why the registry could not read or change a job.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// There is no room for the change. The database is as it was, and takes changes again when there is room.
    #[error("the disk of the job database is full")]
    DiskFull(#[source] sqlx::Error),
    /// Somebody else holds the database, longer than a change waits for it. The same may succeed later.
    #[error("the job database is held by someone else")]
    Busy(#[source] sqlx::Error),
    /// The database refused for another reason.
    #[error("the job database failed")]
    Database(#[source] sqlx::Error),
    /// A stored job or event cannot be written as JSON, or read from it.
    #[error("a stored job or event is not readable")]
    Json(#[from] serde_json::Error),
    /// The job is not as it was when the change was decided: somebody else changed the database.
    #[error("the job was changed by someone else")]
    Conflict,
    /// The registry is shut down and changes nothing any more.
    #[error("the job registry is shut down")]
    ShutDown,
}

/// Why a job was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// The idempotency key came before, with another body.
    #[error("the idempotency key was used with another body")]
    KeyReused,
    /// So many jobs have not ended that one more is not taken. The same may succeed when one of them has.
    #[error("{unfinished} jobs have not ended, and no more are taken")]
    TooMany {
        /// How many there are.
        unfinished: usize,
    },
    /// The registry could not record it.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

/// Why a page of jobs could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// The cursor is not one that [`JobRegistry::list`](crate::JobRegistry::list) gave.
    #[error("the cursor is not one of this hive")]
    InvalidCursor,
    /// The registry could not read the jobs.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

/// Why a job was not paused, resumed or changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The job's state does not allow it.
    #[error("the job is `{}`", state.as_str())]
    WrongState {
        /// Its state.
        state: Open<JobState>,
    },
    /// The registry could not record it.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}
