//! What every command is given: the printer, keeper's files, the environment, and the way to a hive.

use std::{
    ffi::OsString,
    io::{self, IsTerminal},
};

use hive_api::{JobId, RunState};
use hive_client::Endpoint;

use crate::{
    failure::Failure,
    fleet, foreground,
    hives::{self, Config, Hive, LOCAL, LastJob, Meant, Place, Target},
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
    /// Which hives the command line and the environment name.
    meant: Meant,
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
    pub(crate) fn new(printer: Printer, config: Config, meant: Meant, variable: Variable) -> Self {
        Self {
            printer,
            config,
            meant,
            variable,
        }
    }

    /// The hive that is meant, answering: the local one is started if it does not run.
    pub(crate) async fn hive(&self) -> Result<Hive, Failure> {
        self.connect(&self.target()?).await
    }

    /// The name of a hive beside what is told of it, where several were asked for.
    pub(crate) fn name_in_fleet<'a>(&self, hive: &'a Hive) -> Option<&'a str> {
        self.means_fleet().then_some(hive.name.as_str())
    }

    /// A command line of keeper that means the same hives.
    pub(crate) fn command(&self, rest: &str) -> String {
        self.meant.command(rest)
    }

    /// Whether several hives were asked for, even where it turns out to be one.
    pub(crate) fn means_fleet(&self) -> bool {
        self.meant.is_fleet()
    }

    /// The hives that are meant.
    pub(crate) fn targets(&self) -> Result<Vec<Target>, Failure> {
        let local_runs = || {
            let local = hives::choose(Some(LOCAL), &self.config, &self.variable);
            let local = local.and_then(|local| LocalHive::locate(&local, self.variable));
            local.is_ok_and(|local| local.state() == RunState::Running)
        };
        self.meant.targets(&self.config, &self.variable, local_runs)
    }

    /// The one hive that is meant, of a command that takes no more.
    fn target(&self) -> Result<Target, Failure> {
        let mut targets = self.targets()?;
        match targets.pop() {
            Some(only) if targets.is_empty() => Ok(only),
            last => {
                let names = targets
                    .iter()
                    .chain(&last)
                    .map(|target| target.name.as_str());
                let names: Vec<&str> = names.collect();
                Err(Failure::usage(
                    format!(
                        "this command is for one hive, and {} are meant",
                        names.join(", ")
                    ),
                    "name one with --hive; the model and job commands and hive status take several",
                ))
            }
        }
    }

    /// The hive of these jobs: `last` alone is where it was submitted, unless another hive is named.
    pub(crate) async fn hive_of_jobs(&self, jobs: &[impl AsRef<str>]) -> Result<Hive, Failure> {
        let is_last = jobs
            .iter()
            .all(|job| job.as_ref() == crate::job_reference::LAST);
        if !is_last || self.meant != Meant::Used {
            return self.hive().await;
        }
        let last = self.config.last_job();
        let named = last.as_ref().map(|last| last.hive.as_str());
        let target = hives::choose(named, &self.config, &self.variable)?;
        self.connect(&target).await
    }

    /// The hive that is meant, running or not.
    pub(crate) fn way_to_hive(&self) -> Result<Way, Failure> {
        self.way(&self.target()?, self.asking())
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

    /// Where the hive of this name or address is, else the one that is meant anyway.
    pub(crate) fn target_named(&self, name: Option<&str>) -> Result<Target, Failure> {
        match name {
            Some(name) => hives::choose(Some(name), &self.config, &self.variable),
            None => self.target(),
        }
    }

    /// The way to a hive, which is started where it does not run and keeper can start it.
    pub(crate) async fn connect(&self, target: &Target) -> Result<Hive, Failure> {
        let own = match self.way(target, self.asking())? {
            Way::Own(own) => own,
            Way::Address(hive) => return Ok(hive),
        };
        let ran = fleet::arrive(&own, local_hive::may_start(&self.variable)).await?;
        if ran && own.hive().is_local {
            self.warn_of_differences(&[own.hive()]).await;
        }
        Ok(own.hive().clone())
    }

    /// The way to a hive, running or not; nothing is connected.
    pub(crate) fn way(&self, target: &Target, asking: Asking) -> Result<Way, Failure> {
        let way = self.unnamed_way(target, asking);
        way.map_err(|failure| match target.place {
            Place::Local => failure,
            Place::Ssh { .. } | Place::Http(_) | Place::Unusable(_) => failure.about(&target.name),
        })
    }

    fn unnamed_way(&self, target: &Target, asking: Asking) -> Result<Way, Failure> {
        Ok(match &target.place {
            Place::Unusable(failure) => return Err(failure.clone()),
            Place::Local => Way::Own(OwnHive::Local(LocalHive::locate(target, self.variable)?)),
            Place::Ssh {
                address,
                hive_command,
            } => {
                let tunnel = Tunnel::new(address, hive_command.as_deref(), &self.variable)?;
                Way::Own(OwnHive::Ssh(SshHive::locate(target, tunnel, asking)?))
            }
            Place::Http(endpoint) => {
                Way::Address(Hive::connect(target, &Endpoint::Http(endpoint.clone()))?)
            }
        })
    }

    /// Whether ssh may ask on this terminal; one that shows other processes is not ours to ask on.
    pub(crate) fn asking(&self) -> Asking {
        let settings = self.printer.settings();
        let is_ours = settings.terminal && io::stdin().is_terminal() && !foreground::is_anothers();
        if is_ours && !settings.is_json() {
            Asking::Person
        } else {
            Asking::Nobody
        }
    }
}
