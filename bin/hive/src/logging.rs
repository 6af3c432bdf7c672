//! The hive's log: to stderr, as text for people or as one JSON object a line.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::{EnvFilter, fmt};

use crate::config::{Config, LogFormat};

/// Starts logging; a second call in one process changes nothing.
pub(crate) fn start(config: &Config) {
    // The filter was checked when the configuration was read.
    let filter = EnvFilter::new(&config.log_filter);
    let colour = stderr().is_terminal() && config.log_colour;
    let lines = fmt()
        .with_env_filter(filter)
        .with_writer(stderr)
        .with_ansi(colour);
    let started = match config.log_format {
        LogFormat::Text => lines.try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    if started.is_err() {
        tracing::debug!("a log is already being kept");
    }
}
