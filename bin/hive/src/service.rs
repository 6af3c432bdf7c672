//! `hive service`: makes systemd run a hive, step by step, each said as it is done.
//!
//! Everything that can be refused is refused before the first step; what a later step needs is said where one fails, and
//! to run the command again goes on from there.

mod files;
mod place;
mod steps;

use std::{
    io::{self, Write},
    path::PathBuf,
};

use clap::{Args, Subcommand};
use place::Place;
use steps::Step;

use crate::config::Environment;

/// What `hive service` does.
#[derive(Debug, Subcommand)]
pub(crate) enum Service {
    /// Write the unit, enable and start it; once more after an upgrade
    Install(Install),
    /// Stop the service and remove its unit; models, state and user stay
    Uninstall(Uninstall),
}

/// The arguments of `hive service install`.
#[derive(Debug, Args)]
pub(crate) struct Install {
    #[command(flatten)]
    target: Target,
    /// Print what would be written and run, and do nothing
    #[arg(long)]
    dry_run: bool,
}

/// The arguments of `hive service uninstall`.
#[derive(Debug, Args)]
pub(crate) struct Uninstall {
    #[command(flatten)]
    target: Target,
}

/// Whose service, and on which machine.
#[derive(Debug, Args)]
struct Target {
    /// A service of your own, without root, with your own state and store
    #[arg(long)]
    user: bool,
    /// Take files that were changed by hand for ours
    #[arg(long)]
    force: bool,
    /// Work in the system below this folder, such as an image; nothing is started or stopped
    #[arg(long, value_name = "DIR", conflicts_with = "user")]
    root: Option<PathBuf>,
}

/// Why a service was not installed or removed.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// Only root may.
    #[error(
        "a service of the machine needs root: run `{command}`, or add `--user` for one of your own"
    )]
    NeedsRoot {
        /// The command as root.
        command: String,
    },
    /// Nothing here would run it.
    #[error(
        "`{program}` is not on the PATH, so systemd does not run this machine: see what would be written with \
         `hive service install --dry-run`, or let another supervisor run `hive serve`"
    )]
    NoSystemd {
        /// What was looked for.
        program: &'static str,
    },
    /// systemd is here and does not run, or not for this user.
    #[error(
        "no manager answers `{command}`: for a service of your own log in as yourself, not through `sudo` or `su`; \
         where systemd does not run the machine let another supervisor run `hive serve`"
    )]
    NoManager {
        /// What was asked.
        command: String,
    },
    /// A service may not read where this program is.
    #[error(
        "{} cannot be run by a service, which sees no home: run `sudo install -m 755 {} /usr/local/bin/hive`, then \
         `sudo /usr/local/bin/hive service install`", program.display(), program.display()
    )]
    ProgramInHome {
        /// This program.
        program: PathBuf,
    },
    /// A file is not as we wrote it.
    #[error(
        "{} is not as hive wrote it: put changes into a drop-in (`systemctl edit hive.service`) and move it away, or \
         overwrite it with `--force`", path.display()
    )]
    ChangedByHand {
        /// The file.
        path: PathBuf,
    },
    /// There is no home to write to.
    #[error("neither `XDG_CONFIG_HOME` nor `HOME` says where your units are: set `HOME`")]
    NoHome,
    /// A file could not be read, written or removed.
    #[error("cannot work on {}{}", path.display(), rest(left))]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
        /// What was to come.
        left: Vec<String>,
    },
    /// A program of systemd's refused.
    #[error("`{command}` failed: {why}{}", rest(left))]
    Command {
        /// The program and its arguments.
        command: String,
        /// How it ended.
        why: String,
        /// What was to come.
        left: Vec<String>,
    },
    /// The terminal is gone.
    #[error("cannot say what was done")]
    Output(#[from] io::Error),
}

impl ServiceError {
    /// Whether it was refused before the first step.
    pub(crate) fn is_refusal(&self) -> bool {
        match self {
            Self::NeedsRoot { .. }
            | Self::NoSystemd { .. }
            | Self::NoManager { .. }
            | Self::ProgramInHome { .. }
            | Self::ChangedByHand { .. }
            | Self::NoHome => true,
            Self::File { .. } | Self::Command { .. } | Self::Output(_) => false,
        }
    }
}

fn rest(left: &[String]) -> String {
    if left.is_empty() {
        return String::new();
    }
    format!(
        "; not done: {}; what is said above is done, run this again when the cause is gone",
        left.join(", ")
    )
}

/// Runs one of the commands.
pub(crate) fn run(service: &Service, environment: &Environment) -> Result<(), ServiceError> {
    match service {
        Service::Install(arguments) => install(arguments, environment),
        Service::Uninstall(arguments) => uninstall(&arguments.target, environment),
    }
}

fn install(arguments: &Install, environment: &Environment) -> Result<(), ServiceError> {
    let place = Place::of(&arguments.target, environment)?;
    let program = std::env::current_exe()?;
    let steps = place.install(&program);
    if arguments.dry_run {
        return print(&steps);
    }
    place.check_rights("install")?;
    place.check_program(&program)?;
    if !arguments.target.force {
        files::check_untouched(&steps)?;
    }
    place.check_manager()?;
    steps::take(&steps)?;
    let mut stderr = io::stderr();
    for line in place.next_lines() {
        writeln!(stderr, "{line}")?;
    }
    Ok(())
}

fn uninstall(target: &Target, environment: &Environment) -> Result<(), ServiceError> {
    let place = Place::of(target, environment)?;
    place.check_rights("uninstall")?;
    let steps = place.uninstall();
    if !target.force {
        files::check_untouched(&steps)?;
    }
    place.check_manager()?;
    steps::take(&steps)?;
    writeln!(
        io::stderr(),
        "Models, state and configuration are where they were"
    )?;
    Ok(())
}

fn print(steps: &[Step]) -> Result<(), ServiceError> {
    let mut stdout = io::stdout();
    for step in steps {
        match step {
            Step::Write { path, content } => {
                writeln!(stdout, "# {}\n{}", path.display(), content.text())?;
            }
            Step::Run(_) | Step::Remove(_) => writeln!(stdout, "# {}", step.said())?,
        }
    }
    Ok(())
}
