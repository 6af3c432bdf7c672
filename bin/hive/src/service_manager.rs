//! What a hive tells the service manager that started it, in the words of `sd_notify(3)`: one datagram each.
//!
//! The watchdog is fed only with what the hive itself answers, so that one that hangs is started again.

use std::{
    ffi::OsStr,
    io,
    os::{
        linux::net::SocketAddrExt,
        unix::{
            ffi::OsStrExt,
            net::{SocketAddr, UnixDatagram as StdDatagram},
        },
    },
    time::Duration,
};

use tokio::{
    net::UnixDatagram,
    time::{MissedTickBehavior, interval, timeout},
};

use crate::{config::Environment, serve::Pulse};

/// How often the status is renewed, and the hive asked, where no watchdog wants it more often.
const ASK_EVERY: Duration = Duration::from_secs(30);

/// The service manager, where there is one.
#[derive(Debug)]
pub(crate) struct ServiceManager {
    socket: Option<UnixDatagram>,
    /// A service that is silent for longer than this is started again.
    watchdog: Option<Duration>,
}

impl ServiceManager {
    /// The one that `NOTIFY_SOCKET` names: a path, or after `@` a name in the abstract namespace.
    pub(crate) fn from_environment(environment: &Environment) -> Self {
        let named = environment("NOTIFY_SOCKET").filter(|name| !name.is_empty());
        let socket = named.and_then(|name| match connect(&name) {
            Ok(socket) => Some(socket),
            Err(error) => {
                tracing::warn!(%error, "the service manager at NOTIFY_SOCKET cannot be told anything");
                None
            }
        });
        Self {
            socket,
            watchdog: watchdog(environment),
        }
    }

    /// The hive answers from now on.
    pub(crate) async fn ready(&self, pulse: &Pulse) {
        self.tell(&format!("READY=1\nSTATUS={}", pulse.status()))
            .await;
    }

    /// The hive ends, and means to.
    pub(crate) async fn stopping(&self) {
        self.tell("STOPPING=1\nSTATUS=Stopping; unfinished jobs go on at the next start")
            .await;
    }

    /// Feeds the watchdog as long as the hive answers, and says how it does. Never returns where there is someone to
    /// tell.
    pub(crate) async fn keep_told(&self, pulse: &Pulse) {
        if self.socket.is_none() {
            return;
        }
        // Half of what is asked for, as sd_watchdog_enabled(3) recommends.
        let every = self.watchdog.map_or(ASK_EVERY, |silence| silence / 2);
        let mut turns = interval(every);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut answered = true;
        loop {
            turns.tick().await;
            match timeout(every, pulse.answer()).await {
                Ok(Ok(())) => {
                    answered = true;
                    self.alive(pulse).await;
                }
                Ok(Err(error)) => self.silent(&mut answered, &error.to_string()).await,
                Err(_) => {
                    let limit = format!("no answer within {every:?}");
                    self.silent(&mut answered, &limit).await;
                }
            }
        }
    }

    async fn alive(&self, pulse: &Pulse) {
        let watchdog = self.watchdog.map_or("", |_| "WATCHDOG=1\n");
        self.tell(&format!("{watchdog}STATUS={}", pulse.status()))
            .await;
    }

    async fn silent(&self, answered: &mut bool, why: &str) {
        if std::mem::take(answered) {
            tracing::error!(why, "the jobs or their database do not answer");
            self.tell(&format!(
                "STATUS=The jobs or their database do not answer: {why}"
            ))
            .await;
        }
    }

    async fn tell(&self, message: &str) {
        if let Some(socket) = &self.socket
            && let Err(error) = socket.send(message.as_bytes()).await
        {
            tracing::warn!(%error, "the service manager was not told");
        }
    }
}

fn connect(name: &OsStr) -> io::Result<UnixDatagram> {
    let address = match name.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(name)?,
    };
    let socket = StdDatagram::unbound()?;
    socket.connect_addr(&address)?;
    socket.set_nonblocking(true)?;
    UnixDatagram::from_std(socket)
}

/// How long this process may be silent; what is meant for another process is not for us.
fn watchdog(environment: &Environment) -> Option<Duration> {
    let number = |name: &str| environment(name)?.to_str()?.parse::<u64>().ok();
    let is_ours = environment("WATCHDOG_PID").is_none()
        || number("WATCHDOG_PID") == Some(std::process::id().into());
    let silence = Duration::from_micros(number("WATCHDOG_USEC")?);
    (is_ours && !silence.is_zero()).then_some(silence)
}
