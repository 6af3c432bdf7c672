//! The signals that end a command, as a stream of inputs.

use std::{
    fs, io,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, Ordering},
    },
};

use signal_hook::flag;
use tokio::signal::unix::{Signal as Listener, SignalKind, signal};

use crate::{exit_code, failure::Failure};

/// A signal that ends a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Ctrl+C.
    Interrupt,
    /// A supervisor's wish.
    Terminate,
    /// The terminal is gone.
    HangUp,
    /// Ctrl+\.
    Quit,
}

impl Signal {
    const ALL: [Self; 4] = [Self::Interrupt, Self::Terminate, Self::HangUp, Self::Quit];

    /// Its number.
    pub(crate) fn number(self) -> i32 {
        self.kind().as_raw_value()
    }

    fn kind(self) -> SignalKind {
        match self {
            Self::Interrupt => SignalKind::interrupt(),
            Self::Terminate => SignalKind::terminate(),
            Self::HangUp => SignalKind::hangup(),
            Self::Quit => SignalKind::quit(),
        }
    }
}

/// Whether a signal has come that was listened for, for what would keep its reader waiting.
static HAS_COME: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// Whether a signal has come that was listened for, even if nobody took it yet.
pub(crate) fn has_come() -> bool {
    HAS_COME.load(Ordering::Relaxed)
}

/// Listens from its creation to the end of the process: a signal's handler cannot be taken back.
pub(crate) struct Signals {
    listeners: Vec<(Signal, Listener)>,
}

impl Signals {
    /// Listens for every signal that the caller has not told us to ignore: `nohup` and a shell's background jobs do.
    pub(crate) fn listen() -> Result<Self, Failure> {
        Self::try_listen().map_err(|error| {
            Failure::new(
                exit_code::FAILED,
                "signals",
                "signals cannot be listened for",
                "free some memory or file descriptors and try again",
            )
            .because(Some(error.to_string()))
        })
    }

    fn try_listen() -> io::Result<Self> {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let ignored = ignored_signals(&status);
        let wanted = Signal::ALL
            .into_iter()
            .filter(|wanted| ignored & (1 << (wanted.number() - 1)) == 0);
        let listeners = wanted.map(|wanted| {
            flag::register(wanted.number(), Arc::clone(&HAS_COME))?;
            Ok((wanted, signal(wanted.kind())?))
        });
        Ok(Self {
            listeners: listeners.collect::<io::Result<_>>()?,
        })
    }

    /// The next one.
    pub(crate) async fn next(&mut self) -> Signal {
        std::future::poll_fn(|context| {
            for (signal, listener) in &mut self.listeners {
                if listener.poll_recv(context).is_ready() {
                    return std::task::Poll::Ready(*signal);
                }
            }
            std::task::Poll::Pending
        })
        .await
    }
}

/// The mask of ignored signals, bit 0 for signal 1 (`SigIgn` of `/proc/self/status`).
fn ignored_signals(status: &str) -> u64 {
    status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_signals_are_read_from_the_status_of_the_process() {
        let status = "Name:\tkeeper\nSigIgn:\t0000000000001001\nSigCgt:\t0000000000000002\n";
        let ignored = ignored_signals(status);
        let bit = |signal: Signal| ignored & (1 << (signal.number() - 1)) != 0;
        assert!(bit(Signal::HangUp));
        assert!(!bit(Signal::Interrupt));
        assert_eq!(ignored_signals(""), 0);
    }
}
