//! The hive's log: to stderr, as text for people or as one JSON object a line.
//!
//! A thread of its own writes it, so that a terminal that stands still (Ctrl+S) or a full pipe holds up no work.

use std::io::{IsTerminal, stderr};

use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::{
    EnvFilter,
    filter::{LevelFilter, Targets},
    fmt,
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use crate::config::{Config, LogFormat};

/// Libraries that write whole addresses below `warn`, with the signatures in their queries. A name stands for every
/// target that begins with it: `hyper` for `hyper_util` and `hyper_rustls`, `reqwest` for `reqwest_middleware`.
const TALK_OF_ADDRESSES: [&str; 5] = ["h2", "hf_hub", "hyper", "reqwest", "xet"];

/// Lines that wait while nobody reads the log; later ones are lost.
const WAITING_LINES: usize = 10_000;

/// Starts logging, until the guard is dropped, which waits a second at most for what is not written yet; a second call in
/// one process changes nothing.
pub(crate) fn start(config: &Config) -> WorkerGuard {
    // The filter was checked when the configuration was read.
    let filter = EnvFilter::new(&config.log_filter);
    let discretion = discretion(&config.log_filter);
    let colour = stderr().is_terminal() && config.log_colour;
    let (writer, guard) = NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(WAITING_LINES)
        .thread_name("log")
        .finish(stderr());
    let lines = fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        .with_ansi(colour);
    let started = match config.log_format {
        LogFormat::Text => lines.finish().with(discretion).try_init(),
        LogFormat::Json => {
            let lines = lines.json().flatten_event(true);
            lines.finish().with(discretion).try_init()
        }
    };
    if started.is_err() {
        tracing::debug!("a log is already being kept");
    }
    guard
}

/// Keeps the libraries that talk of addresses at `warn`, but for the targets that the filter names.
fn discretion(filter: &str) -> Targets {
    let is_one = |target: &&str| {
        TALK_OF_ADDRESSES
            .iter()
            .any(|name| target.starts_with(name))
    };
    let targets = filter.split(',').filter_map(|directive| {
        let target = directive.split(['=', '[']).next()?.trim();
        Some(target).filter(is_one)
    });
    Targets::new()
        .with_default(LevelFilter::TRACE)
        .with_targets(TALK_OF_ADDRESSES.map(|name| (name, LevelFilter::WARN)))
        .with_targets(targets.map(|target| (target, LevelFilter::TRACE)))
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn libraries_that_talk_of_addresses_are_quiet_unless_named() {
        for filter in ["trace", "debug,hive=trace", "h=trace", "[request]=trace"] {
            let discretion = discretion(filter);
            for target in [
                "hf_hub::client",
                "hyper_util::client",
                "reqwest::connect",
                "h2",
            ] {
                assert!(
                    !discretion.would_enable(target, &Level::INFO),
                    "{filter} {target}"
                );
                assert!(
                    discretion.would_enable(target, &Level::WARN),
                    "{filter} {target}"
                );
            }
            assert!(
                discretion.would_enable("hive::http", &Level::TRACE),
                "{filter}"
            );
        }
        let named = discretion("info, hyper_util::client=trace,hf_hub");
        assert!(named.would_enable("hyper_util::client::pool", &Level::TRACE));
        assert!(named.would_enable("hf_hub::client", &Level::DEBUG));
        assert!(!named.would_enable("hyper::proto", &Level::DEBUG));
    }
}
