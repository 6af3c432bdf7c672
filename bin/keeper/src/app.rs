//! What every command is given: the printer, keeper's files, the environment, and the way to a hive.

use std::{
    ffi::OsString,
    io::{self, IsTerminal},
};

use hive_api::JobId;
use hive_client::Endpoint;

use crate::{
    failure::Failure,
    hives::{self, Config, Hive, LOCAL, LastJob, Place, Target},
    local_hive::{self, LocalHive},
    own_hive::OwnHive,
    ssh::{Asking, SshHive, Tunnel},
    ui::{Printer, Tone},
};

/// Looks up an environment variable.
pub(crate) type Variable = fn(&str) -> Option<OsString>;

/// What every command is given.
pub(crate) struct App {
    /// The way to stdout and stderr.
    pub(crate) printer: Printer,
    /// keeper's files.
    pub(crate) config: Config,
    /// `--hive` or `KEEPER_HIVE`.
    named_hive: Option<String>,
    /// The environment.
    pub(crate) variable: Variable,
}

/// The way to a hive.
pub(crate) enum Way {
    /// It can be started and stopped from here.
    Own(OwnHive),
    /// It answers at its address, or does not.
    Address(Hive),
}

impl App {
    /// For one command.
    pub(crate) fn new(
        printer: Printer,
        config: Config,
        named_hive: Option<String>,
        variable: Variable,
    ) -> Self {
        let named_hive = named_hive.filter(|name| !name.is_empty());
        Self {
            printer,
            config,
            named_hive,
            variable,
        }
    }

    /// The hive that is meant, answering: the local one is started if it does not run.
    pub(crate) async fn hive(&self) -> Result<Hive, Failure> {
        self.reach(self.named_hive.as_deref()).await
    }

    /// The hive of these jobs: `last` alone is where it was submitted, unless another hive is named.
    pub(crate) async fn hive_of_jobs(&self, jobs: &[impl AsRef<str>]) -> Result<Hive, Failure> {
        let is_last = jobs
            .iter()
            .all(|job| job.as_ref() == crate::job_reference::LAST);
        if !is_last || self.named_hive.is_some() {
            return self.hive().await;
        }
        let last = self.config.last_job();
        self.reach(last.as_ref().map(|last| last.hive.as_str()))
            .await
    }

    /// The hive that is meant, running or not.
    pub(crate) fn way_to_hive(&self) -> Result<Way, Failure> {
        self.way(&self.target(self.named_hive.as_deref())?)
    }

    /// The hive that is meant, running or not, to be started or stopped.
    pub(crate) fn own_hive(&self) -> Result<OwnHive, Failure> {
        match self.way_to_hive()? {
            Way::Own(own) => Ok(own),
            Way::Address(hive) => Err(Failure::usage(
                format!("`{}` is on another machine", hive.name),
                "start and stop it there, or name the one here: --hive local",
            )),
        }
    }

    /// Remembers the job that was submitted last. A keeper that cannot write its folder still downloads.
    pub(crate) fn remember(&self, hive: &Hive, job_id: JobId) {
        let default = self.config.default_hive().unwrap_or(LOCAL);
        let hive = hive.flag.as_deref().unwrap_or(default).to_owned();
        if let Err(error) = self.config.remember_last_job(&LastJob { hive, job_id }) {
            let line = format!("`last` will not name this job: {error}");
            self.printer.story_in(Tone::Warning, &line);
        }
    }

    fn target(&self, named: Option<&str>) -> Result<Target, Failure> {
        hives::choose(named, &self.config, &self.variable)
    }

    async fn reach(&self, named: Option<&str>) -> Result<Hive, Failure> {
        self.connect(&self.target(named)?).await
    }

    /// The way to a hive, which is started where it does not run and keeper can start it.
    pub(crate) async fn connect(&self, target: &Target) -> Result<Hive, Failure> {
        let own = match self.way(target)? {
            Way::Own(own) => own,
            Way::Address(hive) => return Ok(hive),
        };
        if own.answers_already().await? {
            self.warn_of_differences(own.hive()).await;
            return Ok(own.hive().clone());
        }
        if local_hive::may_start(&self.variable) {
            own.start().await?;
        } else if !own.answers().await? {
            return Err(own.not_running("KEEPER_NO_AUTOSTART forbids to start it"));
        }
        Ok(own.hive().clone())
    }

    fn way(&self, target: &Target) -> Result<Way, Failure> {
        Ok(match &target.place {
            Place::Local => Way::Own(OwnHive::Local(LocalHive::locate(target, self.variable)?)),
            Place::Ssh {
                address,
                hive_command,
            } => {
                let tunnel = Tunnel::new(address, hive_command.as_deref(), &self.variable)?;
                Way::Own(OwnHive::Ssh(SshHive::locate(
                    target,
                    tunnel,
                    self.asking(),
                )?))
            }
            Place::Http(endpoint) => {
                Way::Address(Hive::connect(target, &Endpoint::Http(endpoint.clone()))?)
            }
        })
    }

    /// Whether ssh may ask on this terminal; one that shows other processes is not ours to ask on.
    fn asking(&self) -> Asking {
        let settings = self.printer.settings();
        let is_ours = settings.terminal && io::stdin().is_terminal() && !crate::in_background();
        if is_ours && !settings.is_json() {
            Asking::Person
        } else {
            Asking::Nobody
        }
    }

    /// The environment that counts is that of the hive, which may have been started with another one.
    async fn warn_of_differences(&self, hive: &Hive) {
        if !hive.is_local || !self.printer.tells_story() {
            return;
        }
        if let Ok(info) = hive.client.hive().await {
            for line in local_hive::differences(&info, &self.variable) {
                self.printer.story_in(Tone::Warning, &line);
            }
        }
    }
}
