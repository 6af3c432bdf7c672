//! The `hive` program as a library: everything but the process's first and last line.
//!
//! Configuration, HTTP, and the adapters from an operation to the crate that does it. How a download works and what
//! a job is are decided elsewhere.

mod access;
mod cli;
mod config;
mod doctor;
pub mod exit_code;
mod facts;
mod file_system;
#[cfg(fuzzing)]
pub mod fuzzing;
mod http;
mod hub_login;
mod listen;
mod local_token;
mod logging;
mod metrics;
mod operations;
mod program;
mod serve;
mod service;
mod service_manager;
mod socket;
mod state_folder;
mod store;
mod tls;

pub use access::{AccessError, TokenFileError, audit::AuditLogError};
pub use cli::Serve;
pub use config::{
    Config, ConfigError, ConnectionLimits, Environment, HubConfig, LogFormat, NamedFile, Settings,
    TlsConfig,
};
pub use exit_code::Failure;
pub use listen::ListenError;
pub use local_token::{LocalTokenError, read_or_create as read_or_create_local_token};
pub use program::run;
pub use serve::{Hive, StartError};
pub use service::ServiceError;
pub use socket::SocketError;
pub use state_folder::{OwnedStateFolder, StateFolderError};
pub use tls::TlsError;
