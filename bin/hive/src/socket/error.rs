//! Why the hive of a state folder did not start or stop, and what to do about it.

use std::{io, path::PathBuf, time::Duration};

use crate::exit_code::{
    BAD_CONFIGURATION, BAD_DATABASE, BROKEN, CANNOT_LISTEN, STATE_FOLDER_OWNED,
};

/// The hive of the state folder does not start or stop.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// No process could be made for it.
    #[error("no hive could be started in {}", folder.display())]
    NotStarted {
        /// The state folder.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It ended before it answered.
    #[error(
        "the hive ended right after its start{}",
        code.map(|code| format!(" (exit {code})")).unwrap_or_default()
    )]
    EndedEarly {
        /// Its exit code, where no signal ended it.
        code: Option<i32>,
        /// Its log.
        log: PathBuf,
        /// The end of its log.
        lines: Vec<String>,
    },
    /// It runs and does not answer.
    #[error("the hive was started and did not answer within {} s", limit.as_secs())]
    Silent {
        /// How long was waited.
        limit: Duration,
        /// Its log.
        log: PathBuf,
        /// The end of its log.
        lines: Vec<String>,
    },
    /// It was told to stop and runs on.
    #[error("the hive (process {pid}) was told to stop and still runs")]
    StillStopping {
        /// Its process id.
        pid: i32,
        /// Its log.
        log: PathBuf,
    },
    /// Whether a hive runs cannot be told.
    #[error("who holds {} cannot be told", lock.display())]
    LockUnreadable {
        /// The lock's file.
        lock: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl SocketError {
    /// What to do next.
    pub(crate) fn remedy(&self) -> String {
        match self {
            Self::NotStarted { folder, .. } => format!(
                "check that {} can be written, or set HIVE_STATE_DIR",
                folder.display()
            ),
            Self::EndedEarly { code: Some(2), .. } => "correct what the log names".to_owned(),
            Self::EndedEarly { log, .. } | Self::Silent { log, .. } => {
                format!("read {}", log.display())
            }
            Self::StillStopping { pid, log } => {
                format!("read {}, or end it with kill -9 {pid}", log.display())
            }
            Self::LockUnreadable { .. } => "end the hive where it was started".to_owned(),
        }
    }

    /// The end of the hive's log.
    pub(crate) fn lines(&self) -> &[String] {
        match self {
            Self::EndedEarly { lines, .. } | Self::Silent { lines, .. } => lines,
            Self::NotStarted { .. } | Self::StillStopping { .. } | Self::LockUnreadable { .. } => {
                &[]
            }
        }
    }

    /// The code of the hive that ended early, else that of something broken.
    pub(crate) fn exit_code(&self) -> u8 {
        let Self::EndedEarly {
            code: Some(code), ..
        } = self
        else {
            return BROKEN;
        };
        [
            BAD_CONFIGURATION,
            BAD_DATABASE,
            STATE_FOLDER_OWNED,
            CANNOT_LISTEN,
        ]
        .into_iter()
        .find(|known| i32::from(*known) == *code)
        .unwrap_or(BROKEN)
    }
}
