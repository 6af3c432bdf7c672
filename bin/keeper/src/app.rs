//! What every command is given: the printer, keeper's files, the environment, and the way to a hive.

use std::ffi::OsString;

use hive_api::JobId;
use hive_client::Endpoint;

use crate::{
    failure::Failure,
    hives::{self, Config, Hive, LOCAL, LastJob, Place, Target},
    local_hive::{self, LocalHive},
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

    /// The local hive, running or not; a remote one cannot be started or stopped from here.
    pub(crate) fn local_hive(&self) -> Result<LocalHive, Failure> {
        let target = self.target(self.named_hive.as_deref())?;
        match &target.place {
            Place::Local => LocalHive::locate(&target, &self.variable),
            Place::Remote(_) => Err(Failure::usage(
                format!("`{}` is on another machine", target.name),
                "start and stop it there, or name the one here: --hive local",
            )),
        }
    }

    /// Whether the hive that is meant is this machine's.
    pub(crate) fn means_local(&self) -> Result<bool, Failure> {
        let target = self.target(self.named_hive.as_deref())?;
        Ok(matches!(target.place, Place::Local))
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
        let target = self.target(named)?;
        let local = match &target.place {
            Place::Remote(endpoint) => {
                return Hive::connect(&target, &Endpoint::Http(endpoint.clone()));
            }
            Place::Local => LocalHive::locate(&target, &self.variable)?,
        };
        if local.answers().await? {
            self.warn_of_differences(&local.hive).await;
            return Ok(local.hive);
        }
        if !local_hive::may_start(&self.variable) {
            return Err(local.not_running("KEEPER_NO_AUTOSTART forbids to start it"));
        }
        local_hive::start(&local, &self.variable).await?;
        Ok(local.hive)
    }

    /// The environment that counts is that of the hive, which may have been started with another one.
    async fn warn_of_differences(&self, hive: &Hive) {
        if !self.printer.tells_story() {
            return;
        }
        if let Ok(info) = hive.client.hive().await {
            for line in local_hive::differences(&info, &self.variable) {
                self.printer.story_in(Tone::Warning, &line);
            }
        }
    }
}
