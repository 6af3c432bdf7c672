//! The command line of `hive`.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};
use hive_api::Scope;
use jiff::{Span, SpanRelativeTo};

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
    /// Print the local bearer token, or make, list and revoke tokens by name
    Token(Token),
    /// Let systemd run a hive
    #[command(subcommand)]
    Service(Service),
    /// Print the line that lets a keeper on another machine in
    Pair(Pair),
    /// Show what was done by whom
    Audit(Audit),
    /// Look at what this hive needs, step by step, with what to do
    Doctor(Doctor),
    /// Print where the hive's unix socket is; start or stop the hive behind it
    Socket(Socket),
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
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Token {
    /// Print the path of the token's file instead
    #[arg(long)]
    pub(crate) path: bool,
    /// What to do with tokens by name.
    #[command(subcommand)]
    pub(crate) command: Option<TokenCommand>,
}

/// What can be done with tokens by name.
#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token and print it, this once
    Create {
        /// What it is called: 1 to 63 of A-Z a-z 0-9 . _ -
        name: String,
        /// How far it reaches: read, infer, operate or admin
        #[arg(long, default_value = "operate")]
        scope: Scope,
        /// How long it lasts, such as 30d; for ever if not given
        #[arg(long, value_name = "DURATION", value_parser = life)]
        expires: Option<Duration>,
    },
    /// List the tokens, without their secrets
    List {
        /// What stdout carries
        #[arg(long, value_enum, default_value_t = Format::Human)]
        format: Format,
    },
    /// End a token, with its event streams and sessions
    Revoke {
        /// What it is called
        name: String,
    },
}

/// The arguments of `hive pair`.
#[derive(Debug, Args)]
pub(crate) struct Pair {
    /// How far the token will reach: read, infer, operate or admin
    #[arg(long, default_value = "operate")]
    pub(crate) scope: Scope,
    /// What the token will be called, instead of what the other machine calls itself
    #[arg(long)]
    pub(crate) name: Option<String>,
}

/// The arguments of `hive audit`.
#[derive(Debug, Args)]
pub(crate) struct Audit {
    /// How many of the newest lines
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub(crate) limit: u32,
    /// What stdout carries
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

/// The arguments of `hive doctor`.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Receive a few seconds of this model's largest file to measure the rate from the Hub, and throw them away
    #[arg(long, value_name = "ORG/NAME")]
    pub(crate) model: Option<String>,
    /// What stdout carries
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

/// What stdout carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Text for people.
    Human,
    /// One JSON object a line.
    Json,
}

/// Reads `30d`, `12h`, `2 weeks`; a day is 24 hours.
fn life(text: &str) -> Result<Duration, String> {
    let span: Result<Span, _> = text.parse();
    let life = span
        .and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()))
        .ok()
        .and_then(|life| Duration::try_from(life).ok());
    life.ok_or_else(|| "a duration such as 30d or 12h".to_owned())
}

/// The arguments of `hive socket`.
#[derive(Debug, Args)]
pub(crate) struct Socket {
    /// Start a hive in the background where none answers, and return when it does
    #[arg(long, conflicts_with = "stop")]
    pub(crate) start: bool,
    /// Stop the hive that runs there, and return when it has ended
    #[arg(long)]
    pub(crate) stop: bool,
    /// What stdout carries: the path alone, or one JSON object
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}
