//! A hive on another machine whose unix socket the system's `ssh` forwards to one here.
//!
//! One master connection a host, shared by every keeper of this person and closed by ssh when nothing uses it. Making it
//! asks the far `hive` for its socket; from there on it is a unix socket like that of a local hive.

mod address;
mod arguments;
mod folder;
mod process;
mod trouble;

use std::{
    env,
    ffi::OsString,
    hash::{DefaultHasher, Hash, Hasher},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use hive_api::{Open, RunState, SocketAnswer};
use hive_client::{ClientError, Endpoint};

pub(crate) use self::address::SshAddress;
use self::trouble::{Ended, Trouble};
use crate::{
    exit_code,
    failure::Failure,
    hive_socket::Order,
    hives::{Hive, Target},
};

/// What the far program is called, where nothing else is said.
const HIVE: &str = "hive";
/// ssh closes a connection that nothing used for so long; `KEEPER_SSH_IDLE_SECONDS` says otherwise.
const IDLE_SECONDS: u32 = 60;
const IDLE_VARIABLE: &str = "KEEPER_SSH_IDLE_SECONDS";
/// Connecting, and a far hive that starts or drains, take no longer; a person may have to type besides.
const ASK_LIMIT: Duration = Duration::from_secs(45);
const ASK_LIMIT_WITH_PERSON: Duration = Duration::from_mins(3);
/// The master is on this machine.
const FORWARD_LIMIT: Duration = Duration::from_secs(10);

/// Whether ssh may ask a person: for a passphrase, a password, a host key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asking {
    /// On the terminal that keeper has.
    Person,
    /// There is no terminal.
    Nobody,
    /// The terminal shows a job's story, and its Ctrl+C is for the job alone.
    InBackground,
}

/// The way to a hive over ssh. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Tunnel(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    address: SshAddress,
    /// What runs the far `hive`, for its shell.
    hive_command: String,
    program: PathBuf,
    idle_seconds: u32,
    /// The master's control socket.
    control: PathBuf,
    /// This end of the forwarded socket.
    local: PathBuf,
}

impl Tunnel {
    /// Prepares the way; nothing is connected.
    pub(crate) fn new(
        address: &SshAddress,
        hive_command: Option<&str>,
        variable: &impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, Failure> {
        let failed = |trouble: Trouble| trouble.failure(address);
        let program = on_path(variable).ok_or_else(|| failed(Trouble::NoSsh))?;
        let folder = folder::runtime_folder(variable).map_err(failed)?;
        let name = name_of(address);
        Ok(Self(Arc::new(Inner {
            address: address.clone(),
            hive_command: hive_command.unwrap_or(HIVE).to_owned(),
            program,
            idle_seconds: idle_seconds(variable)?,
            control: folder.join(format!("m-{name}")),
            local: folder.join(format!("s-{name}")),
        })))
    }

    /// The local end.
    pub(crate) fn endpoint(&self) -> Endpoint {
        Endpoint::Forwarded {
            socket: self.0.local.clone(),
            address: self.0.address.to_string(),
        }
    }

    /// Asks the far hive, connecting first where there is no connection.
    async fn ask(&self, order: Order, asking: Asking) -> Result<SocketAnswer, Trouble> {
        let Inner {
            address,
            control,
            hive_command,
            ..
        } = &*self.0;
        let command = arguments::far_command(hive_command, order);
        let arguments = arguments::session(address, control, self.0.idle_seconds, asking, &command);
        let limit = match asking {
            Asking::Person => ASK_LIMIT_WITH_PERSON,
            Asking::Nobody | Asking::InBackground => ASK_LIMIT,
        };
        let ended = process::run(&self.0.program, &arguments, asking, limit).await?;
        Trouble::or_answer(&ended, hive_command)
    }

    /// Forwards the local end to this socket there; the same once more changes nothing.
    async fn forward(&self, remote: &str) -> Result<(), Trouble> {
        let ended = self.tell_master("forward", remote).await?;
        if ended.code == Some(0) {
            return Ok(());
        }
        Err(match Trouble::of_ssh(&ended.stderr) {
            Trouble::NoConnection { lines } => Trouble::NotForwarded { lines },
            other => other,
        })
    }

    async fn tell_master(&self, verb: &str, remote: &str) -> Result<Ended, Trouble> {
        let Inner {
            address,
            control,
            local,
            ..
        } = &*self.0;
        let arguments = arguments::forwarding(address, control, verb, local, remote);
        process::run(
            &self.0.program,
            &arguments,
            Asking::InBackground,
            FORWARD_LIMIT,
        )
        .await
    }
}

/// A hive that ssh leads to, running or not.
#[derive(Clone)]
pub(crate) struct SshHive {
    tunnel: Tunnel,
    asking: Asking,
    /// The client of the forwarded socket.
    pub(crate) hive: Hive,
}

impl SshHive {
    /// Finds its place; nothing is connected.
    pub(crate) fn locate(target: &Target, tunnel: Tunnel, asking: Asking) -> Result<Self, Failure> {
        let mut hive = Hive::connect(target, &tunnel.endpoint())?;
        hive.tunnel = Some(tunnel.clone());
        Ok(Self {
            tunnel,
            asking,
            hive,
        })
    }

    /// The place of a hive that is talked to already; `None` where that is not over ssh. Nobody is asked any more: the
    /// terminal shows the story.
    pub(crate) fn behind(hive: &Hive) -> Option<Self> {
        Some(Self {
            tunnel: hive.tunnel.clone()?,
            asking: Asking::InBackground,
            hive: hive.clone(),
        })
    }

    /// Whether it answers over a connection that is there.
    pub(crate) async fn answers_already(&self) -> bool {
        self.hive.client.health().await.is_ok()
    }

    /// Whether it answers, connecting first where there is no connection.
    pub(crate) async fn answers(&self) -> Result<bool, Failure> {
        if self.answers_already().await {
            return Ok(true);
        }
        Ok(self.reach(Order::Look).await?.answers)
    }

    /// What there is of it; where it answers, it does so over the forwarded socket.
    pub(crate) async fn state(&self) -> Result<RunState, Failure> {
        Ok(match self.reach(Order::Look).await?.state {
            Open::Known(state) => state,
            Open::Unknown(_) => RunState::Running,
        })
    }

    /// Starts it where it does not run; names the process where it is the one that was started for this.
    pub(crate) async fn start(&self) -> Result<Option<i32>, Failure> {
        Ok(self.reach(Order::Start).await?.started_process)
    }

    /// Stops it, and says which process that was; `None` when none ran.
    pub(crate) async fn stop(&self) -> Result<Option<i32>, Failure> {
        let answer = self.tunnel.ask(Order::Stop, self.asking).await;
        let answer = answer.map_err(|trouble| self.failed(trouble))?;
        Ok(answer.stopped_process)
    }

    /// The failure of a command that needs it while it does not run.
    pub(crate) fn not_running(&self, why: &str) -> Failure {
        Failure::new(
            exit_code::UNREACHABLE,
            "hive_unreachable",
            format!("no hive runs on {}", self.tunnel.0.address.host()),
            self.hive.command("hive start"),
        )
        .because(Some(why.to_owned()).filter(|why| !why.is_empty()))
    }

    async fn reach(&self, order: Order) -> Result<SocketAnswer, Failure> {
        let reached = async {
            let answer = self.tunnel.ask(order, self.asking).await?;
            if answer.answers {
                self.forward(&answer.socket_path).await?;
            }
            Ok(answer)
        };
        reached.await.map_err(|trouble| self.failed(trouble))
    }

    /// Forwards and sees that the hive, which answers there, answers here.
    async fn forward(&self, remote: &str) -> Result<(), Trouble> {
        self.tunnel.forward(remote).await?;
        let mut health = self.hive.client.health().await;
        if let Err(ClientError::Unreachable { .. }) = health {
            // The master believes that it forwards, and the name of the socket is gone.
            self.tunnel.tell_master("cancel", remote).await?;
            self.tunnel.forward(remote).await?;
            health = self.hive.client.health().await;
        }
        match health {
            Ok(()) => Ok(()),
            // ssh takes the connection, asks the far side for one, and closes it when that is refused.
            Err(ClientError::AnswerLost { .. }) => Err(Trouble::NoForwarding),
            Err(error) => Err(Trouble::NotForwarded {
                lines: vec![error.to_string()],
            }),
        }
    }

    fn failed(&self, trouble: Trouble) -> Failure {
        trouble.failure(&self.tunnel.0.address)
    }
}

/// The first `ssh` in an absolute folder of the PATH.
fn on_path(variable: &impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let folders = variable("PATH")?;
    env::split_paths(&folders)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join("ssh"))
        .find(|file| file.is_file())
}

fn idle_seconds(variable: &impl Fn(&str) -> Option<OsString>) -> Result<u32, Failure> {
    let Some(text) = variable(IDLE_VARIABLE).filter(|text| !text.is_empty()) else {
        return Ok(IDLE_SECONDS);
    };
    let seconds = text.to_str().and_then(|text| text.parse().ok());
    // Zero would be for ever (ssh_config(5), ControlPersist).
    seconds.filter(|seconds| *seconds > 0).ok_or_else(|| {
        Failure::usage(
            format!("{IDLE_VARIABLE} is `{}`", text.display()),
            "give whole seconds, such as 60",
        )
    })
}

/// A short name for the sockets of this address. Two versions of keeper that hash otherwise only share no connection.
fn name_of(address: &SshAddress) -> String {
    let mut hasher = DefaultHasher::new();
    address.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}
