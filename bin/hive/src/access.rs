//! Who may: named tokens, pairing codes, and the audit log of what was done by whom.
//!
//! Files in the state folder and not tables, so that they can be read when the database cannot. Knows no HTTP.

pub(crate) mod audit;
pub(crate) mod commands;
pub(crate) mod failures;
pub(crate) mod pairing;
mod token_file;
pub(crate) mod tokens;

use std::{sync::Arc, time::Duration};

use audit::{AuditLog, AuditLogError};
use hive_api::StateFolder;
use pairing::Pairing;
pub use token_file::TokenFileError;
use tokens::Tokens;
use tokio::time::{MissedTickBehavior, interval};

/// How often the last uses of tokens are written, where there were any.
const WRITE_USES_EVERY: Duration = Duration::from_mins(1);

/// Everything about who may, of one hive.
pub(crate) struct Access {
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) pairing: Pairing,
    pub(crate) audit: AuditLog,
}

/// Why a hive cannot tell who may.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The tokens cannot be used.
    #[error(transparent)]
    Tokens(#[from] TokenFileError),
    /// The audit log cannot be written.
    #[error(transparent)]
    Audit(#[from] AuditLogError),
}

impl Access {
    /// Reads the tokens and opens the audit log; the state folder is ours.
    pub(crate) fn open(folder: &StateFolder) -> Result<Self, AccessError> {
        Ok(Self {
            tokens: Arc::new(Tokens::load(folder.tokens())?),
            pairing: Pairing::default(),
            audit: AuditLog::open(folder)?,
        })
    }

    /// Writes the last uses of tokens now and then, until dropped.
    pub(crate) async fn keep_uses(&self) {
        let mut ticks = interval(WRITE_USES_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.write_uses().await;
        }
    }

    /// Writes what is not on the disk yet; nothing may be changed any more.
    pub(crate) async fn close(&self) {
        self.write_uses().await;
        self.audit.close().await;
    }

    async fn write_uses(&self) {
        let tokens = Arc::clone(&self.tokens);
        let written = tokio::task::spawn_blocking(move || tokens.write_uses()).await;
        if let Ok(Err(error)) = written {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the last uses of tokens are not written"
            );
        }
    }
}
