//! Where a service lives, the machine's or a user's, and the steps that put it there and take it away.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use rustix::process::geteuid;

use super::{ServiceError, Target, files::Content, steps::Step};
use crate::config::Environment;

const UNIT: &str = "hive.service";
const SYSTEM_UNIT: &str = include_str!("../../../../packaging/hive.service");
const USER_UNIT: &str = include_str!("../../../../packaging/hive-user.service");
const SYSUSERS: &str = include_str!("../../../../packaging/hive.sysusers.conf");
const TMPFILES: &str = include_str!("../../../../packaging/hive.tmpfiles.conf");
const CONFIGURATION: &str = include_str!("../../../../packaging/hive.toml");
/// Where the units in `packaging/` say that hive is.
const PACKAGED_PROGRAM: &str = "/usr/bin/hive";
/// What a service with `ProtectHome=yes` does not see (systemd.exec(5)).
const HOMES: [&str; 3] = ["/home", "/root", "/run/user"];

/// Whose service.
#[derive(Debug)]
pub(super) enum Place {
    /// The machine's that runs.
    Machine,
    /// That of a system below this folder, which does not run.
    Image(PathBuf),
    /// A user's, with the folder of its units.
    User(PathBuf),
}

impl Place {
    pub(super) fn of(target: &Target, environment: &Environment) -> Result<Self, ServiceError> {
        if let Some(root) = &target.root {
            return Ok(Self::Image(root.clone()));
        }
        if !target.user {
            return Ok(Self::Machine);
        }
        let folder = |name: &str| {
            environment(name)
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
        };
        let configuration =
            folder("XDG_CONFIG_HOME").or_else(|| folder("HOME").map(|home| home.join(".config")));
        let configuration = configuration.ok_or(ServiceError::NoHome)?;
        Ok(Self::User(configuration.join("systemd/user")))
    }

    /// Refuses what could only be done in part.
    pub(super) fn check_rights(&self, what: &str) -> Result<(), ServiceError> {
        if matches!(self, Self::Machine) && !geteuid().is_root() {
            let program = env::current_exe().unwrap_or_else(|_| "hive".into());
            return Err(ServiceError::NeedsRoot {
                command: format!("sudo {} service {what}", program.display()),
            });
        }
        let needed: &[&'static str] = match self {
            Self::User(_) => &["systemctl"],
            Self::Machine | Self::Image(_) => {
                &["systemctl", "systemd-sysusers", "systemd-tmpfiles"]
            }
        };
        match needed.iter().find(|program| !is_on_path(program)) {
            Some(program) => Err(ServiceError::NoSystemd { program }),
            None => Ok(()),
        }
    }

    /// Refuses where systemd's programs are and no manager is.
    pub(super) fn check_manager(&self) -> Result<(), ServiceError> {
        let question: &[&str] = match self {
            Self::Machine => &["show", "--property=Version"],
            Self::User(_) => &["--user", "show", "--property=Version"],
            Self::Image(_) => return Ok(()),
        };
        let answered = Command::new("systemctl")
            .args(question)
            .stdin(Stdio::null())
            .output();
        if answered.is_ok_and(|answer| answer.status.success()) {
            return Ok(());
        }
        Err(ServiceError::NoManager {
            command: format!("systemctl {}", question.join(" ")),
        })
    }

    /// Refuses a program that the service could not start.
    pub(super) fn check_program(&self, program: &Path) -> Result<(), ServiceError> {
        let is_in_home = HOMES.iter().any(|home| program.starts_with(home));
        match self {
            Self::Machine if is_in_home => Err(ServiceError::ProgramInHome {
                program: program.to_owned(),
            }),
            Self::Machine | Self::Image(_) | Self::User(_) => Ok(()),
        }
    }

    pub(super) fn install(&self, program: &Path) -> Vec<Step> {
        let mut steps = self.files(program);
        steps.extend(match self {
            Self::User(_) => vec![
                run(&["systemctl", "--user", "daemon-reload"]),
                run(&["systemctl", "--user", "enable", "hive.service"]),
                // It starts what does not run, and after an upgrade what does runs anew.
                run(&["systemctl", "--user", "restart", "hive.service"]),
            ],
            Self::Machine => vec![
                run(&["systemd-sysusers", "hive.conf"]),
                run(&["systemd-tmpfiles", "--create", "hive.conf"]),
                run(&["systemctl", "daemon-reload"]),
                run(&["systemctl", "enable", "hive.service"]),
                run(&["systemctl", "restart", "hive.service"]),
            ],
            Self::Image(root) => {
                let root = &format!("--root={}", root.display());
                vec![
                    run(&["systemd-sysusers", root, "hive.conf"]),
                    run(&["systemd-tmpfiles", root, "--create", "hive.conf"]),
                    run(&["systemctl", root, "enable", "hive.service"]),
                ]
            }
        });
        steps
    }

    pub(super) fn uninstall(&self) -> Vec<Step> {
        let files = self.files(Path::new(PACKAGED_PROGRAM));
        let removed = files.into_iter().filter_map(|step| match step {
            Step::Write {
                path,
                content: Content::Ours(_),
            } => Some(Step::Remove(path)),
            Step::Write { .. } | Step::Remove(_) | Step::Run(_) => None,
        });
        let (before, after) = match self {
            Self::Machine => (
                run(&["systemctl", "disable", "--now", "hive.service"]),
                Some(run(&["systemctl", "daemon-reload"])),
            ),
            Self::User(_) => (
                run(&["systemctl", "--user", "disable", "--now", "hive.service"]),
                Some(run(&["systemctl", "--user", "daemon-reload"])),
            ),
            Self::Image(root) => (
                run(&[
                    "systemctl",
                    &format!("--root={}", root.display()),
                    "disable",
                    "hive.service",
                ]),
                None,
            ),
        };
        [before].into_iter().chain(removed).chain(after).collect()
    }

    /// What a person wants to know when all is done.
    pub(super) fn next_lines(&self) -> &'static [&'static str] {
        match self {
            Self::Machine => &[
                "  Look       systemctl status hive",
                "  Read       journalctl -u hive",
                "  Configure  /etc/hive/hive.toml, then systemctl restart hive",
            ],
            Self::Image(_) => &["It starts with the system"],
            Self::User(_) => &[
                "  Look       systemctl --user status hive",
                "  Stay       loginctl enable-linger, or it ends when you log out",
            ],
        }
    }

    fn files(&self, program: &Path) -> Vec<Step> {
        if let Self::User(units) = self {
            return vec![ours(units.join(UNIT), &with_program(USER_UNIT, program))];
        }
        let root = match self {
            Self::Image(root) => root.as_path(),
            Self::Machine | Self::User(_) => Path::new("/"),
        };
        vec![
            ours(root.join("etc/sysusers.d/hive.conf"), SYSUSERS),
            ours(root.join("etc/tmpfiles.d/hive.conf"), TMPFILES),
            Step::Write {
                path: root.join("etc/hive/hive.toml"),
                content: Content::Example(CONFIGURATION),
            },
            ours(
                root.join("etc/systemd/system").join(UNIT),
                &with_program(SYSTEM_UNIT, program),
            ),
        ]
    }
}

fn ours(path: PathBuf, body: &str) -> Step {
    let content = Content::ours(body);
    Step::Write { path, content }
}

fn run(words: &[&str]) -> Step {
    Step::Run(words.iter().map(|&word| word.to_owned()).collect())
}

/// The unit with this program in the place of the packaged one, quoted as systemd.service(5) says.
fn with_program(unit: &str, program: &Path) -> String {
    let quoted = program
        .display()
        .to_string()
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('%', "%%");
    unit.replace(
        &format!("ExecStart={PACKAGED_PROGRAM} "),
        &format!("ExecStart=\"{quoted}\" "),
    )
}

fn is_on_path(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(program).is_file())
}
