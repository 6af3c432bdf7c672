//! The hive of this machine and user: where it is, whether it runs; its own program starts and stops it.

mod executable;
mod program;

use std::{ffi::OsString, fs, fs::File, io, path::Path};

use hive_api::{RunState, StateFolder, machine_id};
use hive_client::{ClientError, Endpoint};
use rustix::fs::{FlockOperation, flock};

pub(crate) use self::executable::is_ours;
use crate::{
    app::Variable,
    exit_code,
    failure::Failure,
    hive_socket::Order,
    hives::{Hive, Target},
};

/// The command that starts a hive in the foreground.
const SERVE: &str = "hive serve";
/// The local hive, running or not.
#[derive(Clone)]
pub(crate) struct LocalHive {
    folder: StateFolder,
    variable: Variable,
    /// The client of its socket.
    pub(crate) hive: Hive,
}

impl LocalHive {
    /// Finds its place; nothing is started or asked.
    pub(crate) fn locate(target: &Target, variable: Variable) -> Result<Self, Failure> {
        let folder = state_folder(&variable)?;
        let hive = Hive::connect(target, &Endpoint::UnixSocket(folder.socket()))?;
        Ok(Self {
            folder,
            variable,
            hive,
        })
    }

    /// The place of a local hive that is talked to already.
    pub(crate) fn behind(hive: &Hive, variable: Variable) -> Result<Self, Failure> {
        Ok(Self {
            folder: state_folder(&variable)?,
            variable,
            hive: hive.clone(),
        })
    }

    /// What there is of it, as far as its files tell.
    pub(crate) fn state(&self) -> RunState {
        RunState::of(
            || is_held(&self.folder.lock()),
            || self.folder.socket().symlink_metadata().is_ok(),
        )
    }

    /// Starts it and waits until it answers; names the process where it is the one that was started for this.
    pub(crate) async fn start(&self) -> Result<Option<i32>, Failure> {
        let answer = program::ask(Order::Start, &self.variable).await?;
        Ok(answer.started_process)
    }

    /// Stops it, and says which process that was; `None` when none ran.
    pub(crate) async fn stop(&self) -> Result<Option<i32>, Failure> {
        if self.state() != RunState::Running {
            return Ok(None);
        }
        let answer = program::ask(Order::Stop, &self.variable).await?;
        Ok(answer.stopped_process)
    }

    /// Whether it answers. An error is a hive that is there and does not answer as one.
    pub(crate) async fn answers(&self) -> Result<bool, Failure> {
        match self.hive.client.health().await {
            Ok(()) => Ok(true),
            Err(ClientError::Unreachable { .. }) => Ok(false),
            Err(error) => Err(Failure::of_client(&self.hive, &error)),
        }
    }

    /// Where its log is.
    pub(crate) fn log(&self) -> String {
        self.folder.log().display().to_string()
    }

    /// The failure of a command that needs it while it does not run.
    pub(crate) fn not_running(&self, why: &str) -> Failure {
        let socket = self.folder.socket();
        Failure::new(
            exit_code::UNREACHABLE,
            "hive_unreachable",
            format!("no hive runs here ({})", socket.display()),
            format!("keeper hive start, or in the foreground: {SERVE}"),
        )
        .because(Some(why.to_owned()).filter(|why| !why.is_empty()))
    }
}

fn state_folder(variable: &impl Fn(&str) -> Option<OsString>) -> Result<StateFolder, Failure> {
    let machine = machine_id(|path: &Path| fs::read_to_string(path).ok());
    StateFolder::locate(variable, &machine)
        .map_err(|error| Failure::usage(error.to_string(), "set HOME, or HIVE_STATE_DIR"))
}

/// Whether a process holds the lock; one that cannot be read is no sign that none does.
fn is_held(lock: &Path) -> bool {
    match File::open(lock) {
        // Closing the file gives the lock back at once.
        Ok(file) => flock(&file, FlockOperation::NonBlockingLockShared).is_err(),
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    }
}

/// Whether keeper may start a hive by itself.
pub(crate) fn may_start(variable: &impl Fn(&str) -> Option<OsString>) -> bool {
    variable("KEEPER_NO_AUTOSTART").is_none_or(|value| value != "1")
}
