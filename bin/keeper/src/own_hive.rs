//! A hive that keeper can start and stop: that of this machine, or one that ssh leads to.

use hive_api::RunState;

use crate::{app::Variable, failure::Failure, hives::Hive, local_hive::LocalHive, ssh::SshHive};

/// A hive that keeper can start and stop, running or not.
#[derive(Clone)]
pub(crate) enum OwnHive {
    /// On this machine.
    Local(LocalHive),
    /// Behind ssh.
    Ssh(SshHive),
}

impl OwnHive {
    /// The hive that is talked to already; `None` for one that only its own machine can start.
    pub(crate) fn behind(hive: &Hive, variable: Variable) -> Option<Self> {
        if hive.is_local {
            return LocalHive::behind(hive, variable).ok().map(Self::Local);
        }
        SshHive::behind(hive).map(Self::Ssh)
    }

    /// The client and its name.
    pub(crate) fn hive(&self) -> &Hive {
        match self {
            Self::Local(local) => &local.hive,
            Self::Ssh(ssh) => &ssh.hive,
        }
    }

    /// Whether it answers. An error is a hive that cannot be asked, or that does not answer as one.
    pub(crate) async fn answers(&self) -> Result<bool, Failure> {
        match self {
            Self::Local(local) => local.answers().await,
            Self::Ssh(ssh) => ssh.answers().await,
        }
    }

    /// Whether it answers as it is, with no way made to it first.
    pub(crate) async fn answers_already(&self) -> Result<bool, Failure> {
        match self {
            Self::Local(local) => local.answers().await,
            Self::Ssh(ssh) => Ok(ssh.answers_already().await),
        }
    }

    /// What there is of it.
    pub(crate) async fn state(&self) -> Result<RunState, Failure> {
        match self {
            Self::Local(local) => Ok(local.state()),
            Self::Ssh(ssh) => ssh.state().await,
        }
    }

    /// Whether no hive is there, as far as can be told without asking.
    pub(crate) fn is_gone(&self) -> bool {
        match self {
            Self::Local(local) => local.state() != RunState::Running,
            Self::Ssh(_) => false,
        }
    }

    /// Starts it and waits until it answers; names the process where it is the one that was started for this.
    pub(crate) async fn start(&self) -> Result<Option<i32>, Failure> {
        match self {
            Self::Local(local) => local.start().await,
            Self::Ssh(ssh) => ssh.start().await,
        }
    }

    /// Stops it, and says which process that was; `None` when none ran.
    pub(crate) async fn stop(&self) -> Result<Option<i32>, Failure> {
        match self {
            Self::Local(local) => local.stop().await,
            Self::Ssh(ssh) => ssh.stop().await,
        }
    }

    /// The failure of a command that needs it while it does not run.
    pub(crate) fn not_running(&self, why: &str) -> Failure {
        match self {
            Self::Local(local) => local.not_running(why),
            Self::Ssh(ssh) => ssh.not_running(why),
        }
    }

    /// Where its log is, as a person is told.
    pub(crate) fn log(&self) -> String {
        match self {
            Self::Local(local) => local.log(),
            Self::Ssh(ssh) => format!("hive.log in the state folder on {}", ssh.hive.name),
        }
    }
}
