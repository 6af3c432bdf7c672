//! The hive of this machine and user: where it is, whether it runs, starting and stopping it.

mod differences;
mod executable;
mod holder;
mod remains;
mod revival;
mod start;
mod stop;

use std::{ffi::OsString, fs, path::Path, time::Duration};

use hive_api::{StateFolder, machine_id};
use hive_client::{ClientError, Endpoint};

pub(crate) use self::{
    differences::differences,
    revival::{Found, Revival, STARTS_MAX},
    start::start,
    stop::stop,
};
use self::{holder::Holder, remains::Remains};
use crate::{
    exit_code,
    failure::Failure,
    hives::{Hive, Target},
};

/// The command that starts a hive in the foreground.
const SERVE: &str = "hive serve";
/// How long a hive may take from its start to its first answer, and a stopped one to its end.
const START_LIMIT: Duration = Duration::from_secs(10);
/// How often its progress is looked at meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// The local hive, running or not.
#[derive(Clone, Debug)]
pub(crate) struct LocalHive {
    folder: StateFolder,
    /// The client of its socket.
    pub(crate) hive: Hive,
}

impl LocalHive {
    /// Finds its place; nothing is started or asked.
    pub(crate) fn locate(
        target: &Target,
        variable: &impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, Failure> {
        let folder = state_folder(variable)?;
        let hive = Hive::connect(target, &Endpoint::UnixSocket(folder.socket()))?;
        Ok(Self { folder, hive })
    }

    /// The place of a local hive that is talked to already.
    pub(crate) fn behind(
        hive: &Hive,
        variable: &impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, Failure> {
        Ok(Self {
            folder: state_folder(variable)?,
            hive: hive.clone(),
        })
    }

    /// Whether it answers. An error is a hive that is there and does not answer as one.
    pub(crate) async fn answers(&self) -> Result<bool, Failure> {
        match self.hive.client.health().await {
            Ok(()) => Ok(true),
            Err(ClientError::Unreachable { .. }) => Ok(false),
            Err(error) => Err(Failure::of_client(&self.hive, &error)),
        }
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

/// Whether keeper may start the local hive by itself.
pub(crate) fn may_start(variable: &impl Fn(&str) -> Option<OsString>) -> bool {
    variable("KEEPER_NO_AUTOSTART").is_none_or(|value| value != "1")
}
