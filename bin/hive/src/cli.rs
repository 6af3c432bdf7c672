//! The command line of `hive`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::{config::Settings, service::Service};

/// `--version` names us, so that keeper can tell this program from another `hive` on the PATH.
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (model hive)");

/// The server beside the models.
#[derive(Debug, Parser)]
#[command(name = "hive", version = VERSION, propagate_version = false)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands of `hive`.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve jobs until told to stop
    Serve(Box<Serve>),
    /// Print the local bearer token
    Token(Token),
    /// Let systemd run a hive
    #[command(subcommand)]
    Service(Service),
    /// Print the description of the HTTP API (OpenAPI 3.1)
    Openapi,
}

/// The arguments of `hive serve`.
#[derive(Debug, Default, Args)]
pub struct Serve {
    /// Read this file instead of `$XDG_CONFIG_HOME/hive/hive.toml` or `/etc/hive/hive.toml`
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// What a flag, a variable or the file can set.
    #[command(flatten)]
    pub settings: Settings,
    /// Leave the caller's session and its terminal's signals; keeper starts a hive so
    #[arg(long, hide = true)]
    pub new_session: bool,
}

/// The arguments of `hive token`.
#[derive(Debug, Args)]
pub(crate) struct Token {
    /// Print the path of the token's file instead
    #[arg(long)]
    pub(crate) path: bool,
}
