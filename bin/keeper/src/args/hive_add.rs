//! The arguments of `hive add`: what keeper has to know of a hive.

use std::path::PathBuf;

use clap::Args;
use hive_api::Fingerprint;

use crate::hives::{self, PairingCode};

/// `hive add`.
#[derive(Debug, Args)]
pub(crate) struct HiveAddArguments {
    /// What to call it
    pub(crate) name: String,
    /// `ssh://[user@]host[:port]`, `https://host:port` or `http://host:port`
    pub(crate) url: String,
    /// What it is chosen by besides its name, such as gpu=a100; repeatable
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = hives::label)]
    pub(crate) labels: Vec<(String, String)>,
    /// The fingerprint of its certificate, for https://
    #[arg(long, value_name = "sha256:…")]
    pub(crate) pin: Option<Fingerprint>,
    /// The certificates that sign its own, for https://
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// The HTTP proxy on the way to it, for https:// and http://; without it none is used
    #[arg(long, value_name = "URL")]
    pub(crate) proxy: Option<String>,
    /// What runs hive there, where it is not on the PATH, for ssh://
    #[arg(long, value_name = "COMMAND")]
    pub(crate) hive_command: Option<String>,
    /// The code that `hive pair` printed there, exchanged for a token of this keeper's own
    #[arg(long, value_name = "XXXX-XXXX")]
    pub(crate) code: Option<PairingCode>,
    /// Take the place of the hive of this name: pair anew, or give it another address
    #[arg(long)]
    pub(crate) replace: bool,
    /// Add it without asking whether it answers
    #[arg(long, conflicts_with = "code")]
    pub(crate) no_check: bool,
}
