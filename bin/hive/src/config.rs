//! What the hive was told: flags over `HIVE_*` variables over `hive.toml`, checked before anything is opened.
//!
//! The environment and the files are inputs, so that a test can give its own.

mod connections;
mod hub;
mod listen;
mod settings;
mod tls;

use std::{
    ffi::OsString,
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

pub use connections::ConnectionLimits;
use hive_api::{NoStateFolder, RateLimit, StateFolder, machine_id};
pub use hub::HubConfig;
pub(crate) use hub::without_credentials;
use jiff::SignedDuration;
use model_provisioner::{EnvironmentError, store_root};
use settings::Layer;
pub use settings::Settings;
pub use tls::{NamedFile, TlsConfig};
use tracing_subscriber::EnvFilter;

use crate::cli::Serve;

/// Jobs that run at once unless told otherwise.
const DEFAULT_MAX_JOBS: u32 = 4;
/// Unfinished jobs: nobody has so much to do, and a flood ends there.
const UNFINISHED_JOBS: usize = 20_000;
/// Ended jobs that are kept unless told otherwise.
const DEFAULT_KEEP_JOBS: u32 = 10_000;
/// How long ended jobs are kept unless told otherwise.
const DEFAULT_KEEP_JOBS_FOR: Duration = Duration::from_hours(7 * 24);
/// Connections of all downloads together unless told otherwise.
const DEFAULT_DOWNLOAD_CONNECTIONS: u32 = 16;
/// More connections than this would take the open files of everything else.
const MOST_DOWNLOAD_CONNECTIONS: u32 = 1024;
/// What is logged unless told otherwise.
const DEFAULT_LOG: &str = "info";

/// A look-up of environment variables.
pub type Environment = dyn Fn(&str) -> Option<OsString>;

/// Everything a hive needs to be told.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where its state is.
    pub state: StateFolder,
    /// The TCP addresses to listen on besides the unix socket.
    pub listen: Vec<SocketAddr>,
    /// The certificate of these addresses; none where they are plain HTTP.
    pub tls: Option<TlsConfig>,
    /// Host names to accept besides IP literals, `localhost` and the machine's own, in lower case.
    pub allow_hosts: Vec<String>,
    /// Jobs that run at once.
    pub max_jobs: u32,
    /// Jobs that have not ended; one more is refused until one of them ends.
    pub unfinished_jobs: usize,
    /// Ended jobs that are kept.
    pub keep_jobs: u32,
    /// How long an ended job is kept.
    pub keep_jobs_for: Duration,
    /// Connections that all downloads together have open at most.
    pub download_connections: u32,
    /// What all downloads together receive at most.
    pub rate_limit: RateLimit,
    /// The store's folder.
    pub store: PathBuf,
    /// Which Hub, as whom, over which way.
    pub hub: HubConfig,
    /// How long without work and connections before it ends by itself.
    pub idle_exit: Option<Duration>,
    /// What to log.
    pub log_filter: String,
    /// How to log.
    pub log_format: LogFormat,
    /// Whether a log on a terminal may have colours (`NO_COLOR`, no-color.org).
    pub log_colour: bool,
    /// The limits on the connections of clients.
    pub connections: ConnectionLimits,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// A setting that makes no sense; each names the key as it was written.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A value cannot be read.
    #[error("`{key}` is `{value}`, which is not {expected}")]
    Invalid {
        /// The key as it was written.
        key: String,
        /// Its value.
        value: String,
        /// What it could be.
        expected: &'static str,
    },
    /// An address that other machines reach, without TLS.
    #[error(
        "`{key}` is `{address}`, which other machines reach, and without TLS everyone on the way can read the \
         token: add `--tls-self-signed` or a certificate (`--tls-cert`, `--tls-key`), listen on 127.0.0.1 and forward \
         it with ssh, or add `--insecure-http`"
    )]
    BeyondLoopback {
        /// The key as it was written.
        key: String,
        /// The address.
        address: SocketAddr,
    },
    /// Two settings that cannot both be meant.
    #[error("`{one}` and `{other}` contradict each other: leave one of them out")]
    Contradiction {
        /// A key as it was written.
        one: String,
        /// Another.
        other: String,
    },
    /// A certificate without a key, or a key without a certificate.
    #[error(
        "`{given}` is given alone: a certificate (`--tls-cert`) and its key (`--tls-key`) go together"
    )]
    OtherHalfMissing {
        /// The key as it was written.
        given: String,
    },
    /// `hive.toml` has an unknown key or a value of another type.
    #[error("{}{}: {message}", path.display(), key.as_ref().map(|key| format!(", `{key}`")).unwrap_or_default())]
    File {
        /// The file.
        path: PathBuf,
        /// Where in it.
        key: Option<String>,
        /// What is wrong.
        message: String,
    },
    /// `hive.toml` cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is no place for the state.
    #[error(transparent)]
    NoStateFolder(#[from] NoStateFolder),
    /// `HF_ENDPOINT` is no address of a Hub.
    #[error(
        "`HF_ENDPOINT` is not an http or https address without query and fragment; its value is not shown, for it \
         may hold a password"
    )]
    Endpoint,
    /// A variable of the Hub's own makes no sense.
    #[error(transparent)]
    Hub(#[from] EnvironmentError),
}

impl ConfigError {
    fn invalid(key: impl Into<String>, value: impl Into<String>, expected: &'static str) -> Self {
        Self::Invalid {
            key: key.into(),
            value: value.into(),
            expected,
        }
    }
}

impl Config {
    /// Settles every setting: the first layer that has it wins.
    pub fn resolve(arguments: &Serve, environment: &Environment) -> Result<Self, ConfigError> {
        let variable = |name: &str| environment(name);
        let mut layers = vec![
            (Layer::Flags, arguments.settings.clone()),
            (Layer::Environment, Settings::from_environment(variable)?),
        ];
        if let Some((path, text)) = read_file(arguments.config.as_deref(), variable)? {
            let settings = Settings::from_file(&path, &text)?;
            layers.push((Layer::File(path), settings));
        }
        let layers = Layers(layers);
        Ok(Self {
            state: local_state_folder(environment)?,
            tls: layers.tls()?,
            listen: layers.listen()?,
            allow_hosts: layers.allow_hosts()?,
            max_jobs: layers
                .at_least_one("max_jobs", |layer| layer.max_jobs)?
                .unwrap_or(DEFAULT_MAX_JOBS),
            unfinished_jobs: UNFINISHED_JOBS,
            keep_jobs: layers
                .at_least_one("keep_jobs", |layer| layer.keep_jobs)?
                .unwrap_or(DEFAULT_KEEP_JOBS),
            keep_jobs_for: layers
                .duration("keep_jobs_for", |layer| layer.keep_jobs_for.clone())?
                .unwrap_or(DEFAULT_KEEP_JOBS_FOR),
            download_connections: layers.download_connections()?,
            rate_limit: layers.rate_limit()?,
            store: match layers.first("model_dir", |layer| layer.model_dir.clone()) {
                Some((_, folder)) => folder,
                None => store_root(|name| hub::text(environment, name))?,
            },
            hub: layers.hub(environment)?,
            idle_exit: layers.idle_exit()?,
            log_filter: layers.log_filter()?,
            log_format: layers.log_format()?,
            log_colour: variable("NO_COLOR").is_none_or(|value| value.is_empty()),
            connections: ConnectionLimits::default(),
        })
    }
}

/// The state folder of this user on this machine.
pub(crate) fn local_state_folder(environment: &Environment) -> Result<StateFolder, ConfigError> {
    let id = machine_id(|path| fs::read_to_string(path).ok());
    Ok(StateFolder::locate(|name| environment(name), &id)?)
}

/// The file named by `--config`, which must be there, else the first of the usual ones that is.
fn read_file(
    named: Option<&Path>,
    variable: impl Fn(&str) -> Option<OsString>,
) -> Result<Option<(PathBuf, String)>, ConfigError> {
    if let Some(path) = named {
        return match fs::read_to_string(path) {
            Ok(text) => Ok(Some((path.to_owned(), text))),
            Err(source) => Err(ConfigError::Unreadable {
                path: path.to_owned(),
                source,
            }),
        };
    }
    let folder = |name: &str| {
        variable(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let own = folder("XDG_CONFIG_HOME").or_else(|| folder("HOME").map(|home| home.join(".config")));
    let usual = own.into_iter().chain([PathBuf::from("/etc")]);
    for path in usual.map(|folder| folder.join("hive/hive.toml")) {
        match fs::read_to_string(&path) {
            Ok(text) => return Ok(Some((path, text))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(ConfigError::Unreadable { path, source }),
        }
    }
    Ok(None)
}

/// The layers, the strongest first.
struct Layers(Vec<(Layer, Settings)>);

impl Layers {
    /// The strongest layer's value, with the key as that layer writes it.
    fn first<T>(&self, name: &str, read: impl Fn(&Settings) -> Option<T>) -> Option<(String, T)> {
        self.0
            .iter()
            .find_map(|(layer, settings)| Some((layer.key(name), read(settings)?)))
    }

    /// The key of a switch that is on.
    fn said(&self, name: &str, read: impl Fn(&Settings) -> Option<bool>) -> Option<String> {
        let (key, is_on) = self.first(name, read)?;
        is_on.then_some(key)
    }

    fn allow_hosts(&self) -> Result<Vec<String>, ConfigError> {
        let given = self.first("allow_host", |layer| layer.allow_host.clone());
        let (key, names) = given.unwrap_or_default();
        names
            .into_iter()
            .map(|name| {
                let sane = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
                if !name.is_empty() && name.chars().all(sane) {
                    Ok(name.to_ascii_lowercase())
                } else {
                    let expected = "a host name without scheme and port";
                    Err(ConfigError::invalid(&key, name, expected))
                }
            })
            .collect()
    }

    fn at_least_one(
        &self,
        name: &str,
        read: impl Fn(&Settings) -> Option<u32>,
    ) -> Result<Option<u32>, ConfigError> {
        match self.first(name, read) {
            Some((key, 0)) => Err(ConfigError::invalid(key, "0", "at least 1")),
            given => Ok(given.map(|(_, number)| number)),
        }
    }

    fn download_connections(&self) -> Result<u32, ConfigError> {
        match self.first("connections", |layer| layer.connections) {
            None => Ok(DEFAULT_DOWNLOAD_CONNECTIONS),
            Some((_, number @ 1..=MOST_DOWNLOAD_CONNECTIONS)) => Ok(number),
            Some((key, number)) => Err(ConfigError::invalid(
                key,
                number.to_string(),
                "a number from 1 to 1024",
            )),
        }
    }

    fn rate_limit(&self) -> Result<RateLimit, ConfigError> {
        match self.first("limit_rate", |layer| layer.limit_rate.clone()) {
            None => Ok(RateLimit::default()),
            Some((key, text)) => text
                .parse()
                .map_err(|_| ConfigError::invalid(key, text, "a rate such as `20MB`, or `off`")),
        }
    }

    fn idle_exit(&self) -> Result<Option<Duration>, ConfigError> {
        self.duration("idle_exit", |layer| layer.idle_exit.clone())
    }

    fn hub(&self, environment: &Environment) -> Result<HubConfig, ConfigError> {
        let mut hub = HubConfig::from_environment(environment)?;
        let patience = self.duration("network_patience", |layer| layer.network_patience.clone())?;
        if let Some(patience) = patience {
            hub.settings.limits.network_patience = patience;
        }
        Ok(hub)
    }

    fn duration(
        &self,
        name: &str,
        read: impl Fn(&Settings) -> Option<String>,
    ) -> Result<Option<Duration>, ConfigError> {
        let Some((key, text)) = self.first(name, read) else {
            return Ok(None);
        };
        text.parse::<SignedDuration>()
            .ok()
            .and_then(|duration| Duration::try_from(duration).ok())
            .map(Some)
            .ok_or_else(|| ConfigError::invalid(key, text, "a duration such as `15m`"))
    }

    fn log_filter(&self) -> Result<String, ConfigError> {
        let Some((key, filter)) = self.first("log", |layer| layer.log.clone()) else {
            return Ok(DEFAULT_LOG.to_owned());
        };
        match EnvFilter::try_new(&filter) {
            Ok(_) => Ok(filter),
            Err(_) => Err(ConfigError::invalid(
                key,
                filter,
                "a log filter such as `info` or `hive=debug`",
            )),
        }
    }

    fn log_format(&self) -> Result<LogFormat, ConfigError> {
        let Some((key, format)) = self.first("log_format", |layer| layer.log_format.clone()) else {
            return Ok(LogFormat::Text);
        };
        match format.as_str() {
            "text" => Ok(LogFormat::Text),
            "json" => Ok(LogFormat::Json),
            _ => Err(ConfigError::invalid(key, format, "`text` or `json`")),
        }
    }
}
