//! How `hive` ends: every exit code, documented once, and which failure has which.

use hive_api::Problem;
use hive_client::ClientError;
use job_registry::OpenError;
use model_provisioner::HubSetupError;

use crate::{
    access::AccessError, config::ConfigError, listen::ListenError, local_token::LocalTokenError,
    serve::StartError, service::ServiceError, socket::SocketError, state_folder::StateFolderError,
    tls::TlsError,
};

/// Ended as asked.
pub const DONE: u8 = 0;
/// Something that has no code of its own broke.
pub const BROKEN: u8 = 1;
/// The configuration is bad: said before listening, with the key named. Also clap's code for bad usage.
pub const BAD_CONFIGURATION: u8 = 2;
/// The database is damaged, or a newer hive wrote it.
pub const BAD_DATABASE: u8 = 3;
/// Another hive owns this state folder.
pub const STATE_FOLDER_OWNED: u8 = 4;
/// An address or the socket cannot be listened on.
pub const CANNOT_LISTEN: u8 = 5;

/// Why `hive` ended without doing what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// What it was told makes no sense.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The state folder cannot be used.
    #[error(transparent)]
    StateFolder(#[from] StateFolderError),
    /// The local token cannot be used.
    #[error(transparent)]
    LocalToken(#[from] LocalTokenError),
    /// The tokens or the audit log cannot be used.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// It has no certificate to show.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// It cannot listen.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// A part of it did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A service was not installed or removed.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// The running hive refuses, or so would one that ran.
    #[error("{}", .0.detail)]
    Refused(Box<Problem>),
    /// The running hive does not answer.
    #[error(transparent)]
    Unanswered(ClientError),
    /// The hive of the state folder does not start or stop.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// The runtime or the terminal failed.
    #[error("the process cannot work")]
    Process(#[from] std::io::Error),
}

impl Failure {
    /// What to do next, where the failure itself does not say it.
    pub(crate) fn remedy(&self) -> Option<String> {
        let error = match self {
            Self::Start(StartError::Database(error)) => error,
            Self::Socket(error) => return Some(error.remedy()),
            Self::Refused(problem) => return problem.hint.clone(),
            Self::Start(StartError::Hub(HubSetupError::BadCertificates { .. })) => {
                return Some(
                    "name a PEM file with certificates in SSL_CERT_FILE, or unset it".to_owned(),
                );
            }
            _ => return None,
        };
        match error {
            OpenError::Damaged { path, .. } => {
                let path = path.display();
                Some(format!(
                    "mv {path} {path}.damaged, and start again: the list of jobs is lost, no model is"
                ))
            }
            OpenError::Newer { .. } => {
                Some("install the newer hive again, or set HIVE_STATE_DIR to another folder".into())
            }
            OpenError::File { .. } | OpenError::Recover { .. } => {
                Some("check the disk and the permissions of the state folder".into())
            }
        }
    }

    /// The code the process ends with.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) | Self::LocalToken(_) | Self::Access(_) | Self::Tls(_) => {
                BAD_CONFIGURATION
            }
            Self::StateFolder(error) => match error {
                StateFolderError::Owned { .. } => STATE_FOLDER_OWNED,
                StateFolderError::NotAFolder { .. }
                | StateFolderError::NotOurs { .. }
                | StateFolderError::WritableByOthers { .. }
                | StateFolderError::NotAFile { .. }
                | StateFolderError::FileNotOurs { .. }
                | StateFolderError::NetworkFileSystem { .. }
                | StateFolderError::Unusable { .. } => BAD_CONFIGURATION,
            },
            Self::Listen(error) => match error {
                ListenError::SocketPathTooLong { .. } => BAD_CONFIGURATION,
                ListenError::SocketInTheWay { .. }
                | ListenError::Socket { .. }
                | ListenError::Address { .. } => CANNOT_LISTEN,
            },
            Self::Start(error) => match error {
                StartError::Database(_) => BAD_DATABASE,
                StartError::Hub(_) | StartError::HubToken { .. } => BAD_CONFIGURATION,
            },
            Self::Socket(error) => error.exit_code(),
            Self::Service(error) if error.is_refusal() => BAD_CONFIGURATION,
            // 4xx: what was asked cannot be.
            Self::Refused(problem) if problem.status < 500 => BAD_CONFIGURATION,
            Self::Service(_) | Self::Refused(_) | Self::Unanswered(_) | Self::Process(_) => BROKEN,
        }
    }
}
