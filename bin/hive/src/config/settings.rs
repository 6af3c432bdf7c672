//! One layer of settings: from flags, from `HIVE_*` variables or from `hive.toml`, each with the same names.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use clap::Args;
use serde::Deserialize;

use super::ConfigError;

/// What a flag, a variable or a line of `hive.toml` can set; `None` leaves it to the next layer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Listen on this TCP address too, port 7835 if none is given; repeatable
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen: Option<Vec<String>>,
    /// Speak TLS with this certificate on every TCP address: a PEM file, its issuers after it; read again on SIGHUP
    #[arg(long, value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
    /// The private key of the certificate, a PEM file that not everyone can read
    #[arg(long, value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// Speak TLS with a certificate of the hive's own, made once and kept; clients pin its fingerprint
    #[arg(long, num_args = 0, default_missing_value = "true")]
    pub tls_self_signed: Option<bool>,
    /// Serve plain HTTP beyond loopback: tokens and models can be read on the way
    #[arg(long, num_args = 0, default_missing_value = "true")]
    pub insecure_http: Option<bool>,
    /// Run this many jobs at once
    #[arg(long, value_name = "N")]
    pub max_jobs: Option<u32>,
    /// Keep this many ended jobs; the ones that ended first go first [default: 10000]
    #[arg(long, value_name = "N")]
    pub keep_jobs: Option<u32>,
    /// Keep an ended job this long, such as 24h [default: 168h]
    #[arg(long, value_name = "DURATION")]
    pub keep_jobs_for: Option<String>,
    /// Open this many connections at most for all downloads together
    #[arg(long, value_name = "N")]
    pub connections: Option<u32>,
    /// Receive this many bytes a second at most for all downloads together, such as 20MB, or off
    #[arg(long, value_name = "RATE")]
    pub limit_rate: Option<String>,
    /// Accept requests for this host name too; repeatable
    #[arg(long, value_name = "HOST")]
    pub allow_host: Option<Vec<String>>,
    /// Keep models here instead of the Hugging Face Hub cache
    #[arg(long, value_name = "DIR")]
    pub model_dir: Option<PathBuf>,
    /// End after this long with no unfinished job and no connection, such as 15m
    #[arg(long, value_name = "DURATION")]
    pub idle_exit: Option<String>,
    /// How long a job waits for the network, such as `24h`; `HIVE_NETWORK_PATIENCE` or the file.
    #[arg(skip)]
    pub network_patience: Option<String>,
    /// What to log, as tracing's filter directives; `HIVE_LOG` or the file. The libraries that speak HTTP write
    /// addresses with their signatures below `warn`: these lines come only where such a library is named, as in
    /// `debug,hf_hub=debug`.
    #[arg(skip)]
    pub log: Option<String>,
    /// `text` or `json`; `HIVE_LOG_FORMAT` or the file.
    #[arg(skip)]
    pub log_format: Option<String>,
}

impl Settings {
    /// The layer of the `HIVE_*` variables; an empty one counts as unset.
    pub(super) fn from_environment(
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, ConfigError> {
        let text = |name: &'static str| match variable(name).map(OsString::into_string) {
            None => Ok(None),
            Some(Ok(text)) => Ok(Some(text).filter(|text| !text.is_empty())),
            Some(Err(raw)) => Err(ConfigError::Invalid {
                key: name.to_owned(),
                value: raw.to_string_lossy().into_owned(),
                expected: "UTF-8 text",
            }),
        };
        let list =
            |name| text(name).map(|value| value.map(|text| text.split(',').map(trimmed).collect()));
        let number = |name| {
            let read = |text: String| {
                text.parse()
                    .map_err(|_| ConfigError::invalid(name, text, "a whole number"))
            };
            text(name)?.map(read).transpose()
        };
        let switch = |name| {
            let read = |text: String| match text.as_str() {
                "1" | "true" => Ok(true),
                "0" | "false" => Ok(false),
                _ => Err(ConfigError::invalid(name, text, "true or false")),
            };
            text(name)?.map(read).transpose()
        };
        let path = |name| {
            let value = variable(name).filter(|value| !value.is_empty());
            value.map(PathBuf::from)
        };
        Ok(Self {
            listen: list("HIVE_LISTEN")?,
            tls_cert: path("HIVE_TLS_CERT"),
            tls_key: path("HIVE_TLS_KEY"),
            tls_self_signed: switch("HIVE_TLS_SELF_SIGNED")?,
            insecure_http: switch("HIVE_INSECURE_HTTP")?,
            max_jobs: number("HIVE_MAX_JOBS")?,
            keep_jobs: number("HIVE_KEEP_JOBS")?,
            keep_jobs_for: text("HIVE_KEEP_JOBS_FOR")?,
            connections: number("HIVE_CONNECTIONS")?,
            limit_rate: text("HIVE_LIMIT_RATE")?,
            allow_host: list("HIVE_ALLOW_HOST")?,
            model_dir: path("HIVE_MODEL_DIR"),
            idle_exit: text("HIVE_IDLE_EXIT")?,
            network_patience: text("HIVE_NETWORK_PATIENCE")?,
            log: text("HIVE_LOG")?,
            log_format: text("HIVE_LOG_FORMAT")?,
        })
    }

    /// The layer of `hive.toml`; an unknown key is refused by its name.
    pub(super) fn from_file(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let bad = |key: Option<String>, message: &str| ConfigError::File {
            path: path.to_owned(),
            key: key.filter(|key| key != "."),
            message: message.trim().to_owned(),
        };
        let document =
            toml::Deserializer::parse(text).map_err(|error| bad(None, error.message()))?;
        serde_path_to_error::deserialize(document)
            .map_err(|error| bad(Some(error.path().to_string()), error.inner().message()))
    }
}

fn trimmed(item: &str) -> String {
    item.trim().to_owned()
}

/// Where a layer came from, so that an error names the key as the person wrote it.
#[derive(Clone, Debug)]
pub(super) enum Layer {
    /// The command line.
    Flags,
    /// `HIVE_*`.
    Environment,
    /// `hive.toml`.
    File(PathBuf),
}

impl Layer {
    /// The key as it is written in this layer.
    pub(super) fn key(&self, name: &str) -> String {
        match self {
            Self::Flags => format!("--{}", name.replace('_', "-")),
            Self::Environment => format!("HIVE_{}", name.to_uppercase()),
            Self::File(path) => format!("{name} in {}", path.display()),
        }
    }
}
