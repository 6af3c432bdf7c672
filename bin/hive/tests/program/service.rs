//! `hive service`: what it writes, what it asks of systemd, and what it refuses. systemd's programs are stand-ins that
//! write down their arguments.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use tempfile::TempDir;

use crate::serving::hive;

/// A machine that seems to be run by systemd.
struct Machine {
    folder: TempDir,
}

impl Machine {
    fn new() -> Self {
        let machine = Self {
            folder: TempDir::new().unwrap(),
        };
        fs::create_dir(machine.path("bin")).unwrap();
        for program in ["systemctl", "systemd-sysusers", "systemd-tmpfiles"] {
            machine.stand_in(program, "");
        }
        machine
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn root(&self) -> PathBuf {
        self.path("an image")
    }

    /// `then` is what it does after it has written down its arguments.
    fn stand_in(&self, program: &str, then: &str) {
        let asked = self.path("asked");
        let script = format!(
            "#!/bin/sh\necho {program} \"$@\" >> '{}'\n{then}\n",
            asked.display()
        );
        let path = self.path("bin").join(program);
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn asked(&self) -> Vec<String> {
        let asked = fs::read_to_string(self.path("asked")).unwrap_or_default();
        asked.lines().map(str::to_owned).collect()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = hive(self.folder.path(), &[&["service"], arguments].concat());
        command.env("PATH", self.path("bin"));
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn in_image(&self, arguments: &[&str]) -> Output {
        let mut command = self.command(arguments);
        command.arg("--root").arg(self.root()).output().unwrap()
    }
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn program() -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_hive"));
    program.canonicalize().unwrap().display().to_string()
}

#[test]
fn a_service_of_the_machine_has_its_unit_user_and_store_and_each_step_is_said() {
    let machine = Machine::new();
    let output = machine.in_image(&["install"]);
    let text = said(&output);
    assert!(output.status.success(), "{text}");
    let root = machine.root();
    let unit = fs::read_to_string(root.join("etc/systemd/system/hive.service")).unwrap();
    let start = format!("\nExecStart=\"{}\" serve\n", program());
    assert!(unit.contains(&start), "{unit}");
    assert!(unit.contains("\nUser=hive\n"), "{unit}");
    let root = root.display();
    assert_eq!(
        text,
        format!(
            "Wrote {root}/etc/sysusers.d/hive.conf\n\
             Wrote {root}/etc/tmpfiles.d/hive.conf\n\
             Wrote {root}/etc/hive/hive.toml\n\
             Wrote {root}/etc/systemd/system/hive.service\n\
             Ran systemd-sysusers --root={root} hive.conf\n\
             Ran systemd-tmpfiles --root={root} --create hive.conf\n\
             Ran systemctl --root={root} enable hive.service\n\
             It starts with the system\n"
        )
    );
    assert_eq!(machine.asked().len(), 3);
}

#[test]
fn a_service_of_ones_own_needs_no_root_and_is_enabled_and_started() {
    let machine = Machine::new();
    let output = machine.run(&["install", "--user"]);
    assert!(output.status.success(), "{}", said(&output));
    let unit = machine.path(".config/systemd/user/hive.service");
    let text = fs::read_to_string(&unit).unwrap();
    assert!(
        text.contains(&program()) && !text.contains("User="),
        "{text}"
    );
    assert_eq!(
        machine.asked(),
        [
            "systemctl --user show --property=Version",
            "systemctl --user daemon-reload",
            "systemctl --user enable hive.service",
            "systemctl --user restart hive.service"
        ]
    );
    assert!(said(&output).contains("loginctl enable-linger"));

    let output = machine.run(&["uninstall", "--user"]);
    assert!(output.status.success(), "{}", said(&output));
    assert!(!unit.exists());
    assert_eq!(
        machine.asked()[4..],
        [
            "systemctl --user show --property=Version",
            "systemctl --user disable --now hive.service",
            "systemctl --user daemon-reload"
        ]
    );
}

#[test]
fn a_unit_that_was_changed_by_hand_is_neither_overwritten_nor_removed_unless_forced() {
    let machine = Machine::new();
    assert!(machine.in_image(&["install"]).status.success());
    assert!(machine.in_image(&["install"]).status.success());
    let unit = machine.root().join("etc/systemd/system/hive.service");
    let changed = fs::read_to_string(&unit).unwrap() + "Nice=5\n";
    fs::write(&unit, &changed).unwrap();
    let configuration = machine.root().join("etc/hive/hive.toml");
    fs::write(&configuration, "max_jobs = 2\n").unwrap();
    let asked = machine.asked();
    for command in ["install", "uninstall"] {
        let refused = machine.in_image(&[command]);
        assert_eq!(refused.status.code(), Some(2));
        let text = said(&refused);
        assert!(text.contains("systemctl edit hive.service"), "{text}");
        assert_eq!(fs::read_to_string(&unit).unwrap(), changed);
    }
    assert_eq!(machine.asked(), asked);

    assert!(machine.in_image(&["install", "--force"]).status.success());
    assert_ne!(fs::read_to_string(&unit).unwrap(), changed);
    assert!(machine.in_image(&["uninstall"]).status.success());
    assert!(!unit.exists());
    let kept = fs::read_to_string(&configuration).unwrap();
    assert_eq!(kept, "max_jobs = 2\n");
}

#[test]
fn a_step_that_fails_says_what_is_done_and_what_is_not() {
    let machine = Machine::new();
    machine.stand_in("systemctl", "[ \"$2\" != enable ]");
    let output = machine.run(&["install", "--user"]);
    assert_eq!(output.status.code(), Some(1));
    let text = said(&output);
    assert!(
        text.contains("Ran systemctl --user daemon-reload\n"),
        "{text}"
    );
    assert!(
        text.contains(
            "`systemctl --user enable hive.service` failed: it ended with exit status: 1"
        ),
        "{text}"
    );
    assert!(
        text.contains("not done: systemctl --user restart hive.service"),
        "{text}"
    );
}

#[test]
fn where_no_manager_answers_nothing_is_written() {
    let machine = Machine::new();
    machine.stand_in("systemctl", "exit 1");
    let refused = machine.run(&["install", "--user"]);
    assert_eq!(refused.status.code(), Some(2));
    let text = said(&refused);
    assert!(
        text.contains("`systemctl --user show --property=Version`"),
        "{text}"
    );
    assert!(!machine.path(".config").exists());
}

#[test]
fn without_systemd_nothing_is_written_and_what_would_be_can_be_printed() {
    let machine = Machine::new();
    fs::remove_file(machine.path("bin/systemctl")).unwrap();
    let refused = machine.run(&["install", "--user"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(said(&refused).contains("--dry-run"), "{}", said(&refused));
    let printed = machine.run(&["install", "--dry-run"]);
    let text = String::from_utf8(printed.stdout).unwrap();
    for line in [
        "# /etc/systemd/system/hive.service\n",
        "# /etc/tmpfiles.d/hive.conf\n",
        "\nProtectSystem=strict\n",
        "# systemctl restart hive.service\n",
    ] {
        assert!(text.contains(line), "no {line:?} in {text}");
    }
    assert!(!machine.path(".config").exists());
    assert!(machine.asked().is_empty());
}
