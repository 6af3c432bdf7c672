//! Two machines as network namespaces with a link between them: sshd, hive and a fake Hub in one, keeper in the other.

use std::{
    fs::{self, File},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command as Blocking, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::{
    process::Child,
    time::{Instant, sleep},
};

use crate::{
    keeper::{Keeper, wait_for_text},
    namespaces::{End, Namespace, link},
    packages::path_of,
    programs::{Profile, Programs, built, cargo, succeed},
};

const LIMIT: Duration = Duration::from_secs(90);
const POLL: Duration = Duration::from_millis(50);
const FAR_DEVICE: &str = "far0";
const FAR_ADDRESS: &str = "10.77.5.1";
const PORT: &str = "2222";
const HUB: &str = "127.0.0.1:7999";
/// Where the hive listens besides its socket, on its own machine alone.
const HIVE: &str = "127.0.0.1:7835";
/// So that the end of an idle master is seen soon.
const IDLE_SECONDS: &str = "3";

/// Both machines; everything ends with this value.
pub(super) struct Scene {
    folder: TempDir,
    keeper: PathBuf,
    near: Namespace,
    far: Namespace,
    sshd: Option<Child>,
    _hub: Child,
}

impl Scene {
    /// Makes the machines, their keys and their link, and starts the Hub and sshd.
    pub(super) async fn start(programs: &Programs) -> Result<Self> {
        succeed(cargo().args(["build", "--quiet", "--package", "fake-hub", "--bins"]))?;
        let folder = TempDir::with_prefix("ssh-")?;
        let (near, far) = linked()?;
        for name in ["near", "far", "run"] {
            let path = folder.path().join(name);
            fs::create_dir(&path)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o700))?;
        }
        keys(folder.path())?;
        client_files(folder.path())?;
        let hub = far
            .command(&built(Profile::Dev).join("fake-hub"))
            .args(["--listen", HUB, "--model-size", "150MB", "--rate", "500kB"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let mut scene = Self {
            keeper: programs.keeper(),
            near,
            far,
            sshd: None,
            _hub: hub,
            folder,
        };
        // sshd refuses to run without it.
        fs::create_dir_all("/run/sshd")?;
        scene.start_sshd(&[]).await?;
        Ok(scene)
    }

    /// Starts sshd with these lines besides, and returns when it listens.
    pub(super) async fn start_sshd(&mut self, lines: &[&str]) -> Result<()> {
        let folder = self.folder.path().display();
        let programs = self.keeper.parent().context("a program has a folder")?;
        let config = format!(
            "Port {PORT}\nHostKey {folder}/host\nPidFile none\nAuthorizedKeysFile {folder}/id.pub\n\
             PasswordAuthentication no\nUsePAM no\nStrictModes no\nPermitRootLogin yes\n\
             SetEnv HOME={folder}/far HIVE_STATE_DIR={folder}/far/state HIVE_LISTEN={HIVE} HF_ENDPOINT=http://{HUB} \
             PATH={}:/usr/bin:/bin\n{}\n",
            programs.display(),
            lines.join("\n")
        );
        let path = self.folder.path().join("sshd_config");
        fs::write(&path, config)?;
        let log = self.folder.path().join("sshd.log");
        let sshd = path_of("sshd").context("sshd is installed")?;
        let child = self
            .far
            .command(&sshd)
            .args(["-D", "-e", "-f"])
            .arg(&path)
            .stderr(File::create(&log)?)
            .kill_on_drop(true)
            .spawn()?;
        self.sshd = Some(child);
        wait_for_text(&log, "Server listening").await
    }

    /// Ends sshd and every session of it by SIGKILL.
    pub(super) async fn kill_sshd(&mut self) -> Result<()> {
        for pid in self.far.pids_of("sshd")? {
            // One that has ended meanwhile is gone as well.
            let _ = kill_process(pid, Signal::KILL);
        }
        if let Some(mut sshd) = self.sshd.take() {
            sshd.wait().await?;
        }
        Ok(())
    }

    /// Takes the link down or up.
    pub(super) fn link(&self, state: &str) -> Result<()> {
        self.far.set_link(FAR_DEVICE, state)
    }

    /// The master connections of all keepers.
    pub(super) fn masters(&self) -> Result<usize> {
        let pids = self.near.pids_of("ssh")?;
        let is_master = |pid: &Pid| {
            let path = format!("/proc/{}/cmdline", pid.as_raw_nonzero());
            fs::read(path).is_ok_and(|line| line.windows(5).any(|part| part == b"[mux]"))
        };
        Ok(pids.iter().filter(|pid| is_master(pid)).count())
    }

    /// Waits until no ssh is left.
    pub(super) async fn wait_for_no_ssh(&self) -> Result<()> {
        let deadline = Instant::now() + LIMIT;
        while !self.near.pids_of("ssh")?.is_empty() {
            ensure!(Instant::now() < deadline, "ssh does not end");
            sleep(POLL).await;
        }
        Ok(())
    }

    /// Forwards the hive's port by hand until the child is dropped, and gives what keeper needs to ask it there.
    pub(super) async fn tunnel(&self) -> Result<(Child, [(&'static str, String); 2])> {
        let ssh = self.folder.path().join("bin/ssh");
        let tunnel = self
            .near
            .command(&ssh)
            .args(["-N", "-o", "ExitOnForwardFailure=yes"])
            .args(["-L", &format!("{HIVE}:{HIVE}"), "gpu1"])
            .kill_on_drop(true)
            .spawn()?;
        let token = fs::read_to_string(self.folder.path().join("far/state/token"))?;
        let deadline = Instant::now() + LIMIT;
        while !self.near.listens(7835)? {
            ensure!(Instant::now() < deadline, "ssh forwards nothing");
            sleep(POLL).await;
        }
        let variables = [
            ("KEEPER_HIVE", format!("http://{HIVE}")),
            ("KEEPER_TOKEN", token.trim().to_owned()),
        ];
        Ok((tunnel, variables))
    }

    /// Starts keeper on the near machine; `name` names its outputs.
    pub(super) fn keeper(&self, name: &str, arguments: &[&str]) -> Result<Keeper> {
        self.keeper_with(&[], name, arguments)
    }

    /// The same with these variables.
    pub(super) fn keeper_with(
        &self,
        variables: &[(&str, String)],
        name: &str,
        arguments: &[&str],
    ) -> Result<Keeper> {
        let folder = self.folder.path();
        let shims = folder.join("bin");
        let mut keeper = self.near.command(&self.keeper);
        keeper
            .args(arguments)
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .env("HOME", folder.join("near"))
            .env("XDG_RUNTIME_DIR", folder.join("run"))
            .env("KEEPER_SSH_IDLE_SECONDS", IDLE_SECONDS)
            .env(
                "PATH",
                format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", shims.display()),
            );
        Keeper::start(keeper, folder, name)
    }
}

/// The near and the far machine with a link between them.
fn linked() -> Result<(Namespace, Namespace)> {
    let (near, far) = (Namespace::new("near")?, Namespace::new("far")?);
    link([
        &End {
            namespace: &near,
            device: "near0",
            address: "10.77.5.2",
        },
        &End {
            namespace: &far,
            device: FAR_DEVICE,
            address: FAR_ADDRESS,
        },
    ])?;
    Ok((near, far))
}

fn keys(folder: &Path) -> Result<()> {
    for name in ["host", "id"] {
        let mut command = Blocking::new("ssh-keygen");
        command.args(["-q", "-t", "ed25519", "-N", "", "-f"]);
        succeed(command.arg(folder.join(name)))?;
    }
    Ok(())
}

/// A configuration for `gpu1`, and an `ssh` on the PATH that reads it: the real one takes the home folder from the
/// password file and not from the environment.
fn client_files(folder: &Path) -> Result<()> {
    let (config, shown) = (folder.join("ssh_config"), folder.display());
    fs::write(
        &config,
        format!(
            "Host gpu1\n  HostName {FAR_ADDRESS}\n  Port {PORT}\n  User root\n  IdentityFile {shown}/id\n  \
             IdentitiesOnly yes\n  UserKnownHostsFile {shown}/known\n  StrictHostKeyChecking accept-new\n"
        ),
    )?;
    let bin = folder.join("bin");
    fs::create_dir(&bin)?;
    let ssh = path_of("ssh").context("ssh is installed")?;
    let script = format!(
        "#!/bin/sh\nexec {} -F {} \"$@\"\n",
        ssh.display(),
        config.display()
    );
    fs::write(bin.join("ssh"), script)?;
    fs::set_permissions(bin.join("ssh"), fs::Permissions::from_mode(0o755))?;
    Ok(())
}
