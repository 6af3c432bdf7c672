//! Two machines as network namespaces with a link between them: sshd, hive and a fake Hub in one, keeper in the other.

use std::{
    fs::{self, File},
    os::unix::{fs::PermissionsExt, process::ExitStatusExt},
    path::{Path, PathBuf},
    process::{Command as Blocking, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tempfile::TempDir;
use tokio::{
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

use crate::{
    packages::path_of,
    process,
    programs::{Profile, Programs, built, cargo, succeed},
};

const LIMIT: Duration = Duration::from_secs(90);
const POLL: Duration = Duration::from_millis(50);
const FAR_ADDRESS: &str = "10.77.5.1";
const PORT: &str = "2222";
const HUB: &str = "127.0.0.1:7999";
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
             SetEnv HOME={folder}/far HIVE_STATE_DIR={folder}/far/state HF_ENDPOINT=http://{HUB} \
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
        ip(&["-n", &self.far.name, "link", "set", "far0", state])
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

    /// Starts keeper on the near machine; `name` names its outputs.
    pub(super) fn keeper(&self, name: &str, arguments: &[&str]) -> Result<Keeper> {
        let folder = self.folder.path();
        let output = |kind: &str| folder.join(format!("{name}.{kind}"));
        let (stdout, stderr) = (output("stdout"), output("stderr"));
        let child = self
            .near
            .command(&self.keeper)
            .args(arguments)
            .env_clear()
            .env("HOME", folder.join("near"))
            .env("XDG_RUNTIME_DIR", folder.join("run"))
            .env("KEEPER_SSH_IDLE_SECONDS", IDLE_SECONDS)
            .env(
                "PATH",
                format!(
                    "{}:/usr/sbin:/usr/bin:/sbin:/bin",
                    folder.join("bin").display()
                ),
            )
            .stdin(Stdio::null())
            .stdout(File::create(&stdout)?)
            .stderr(File::create(&stderr)?)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        Ok(Keeper {
            child,
            stdout,
            stderr,
        })
    }
}

/// A keeper that runs.
pub(super) struct Keeper {
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
}

/// A keeper that has ended.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) code: Option<i32>,
    pub(super) signal: Option<i32>,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Keeper {
    /// Waits until its story has this text.
    pub(super) async fn wait_for(&self, text: &str) -> Result<()> {
        wait_for_text(&self.stderr, text).await
    }

    /// Waits until its data has this text.
    pub(super) async fn wait_for_stdout(&self, text: &str) -> Result<()> {
        wait_for_text(&self.stdout, text).await
    }

    /// Signals its whole group, as a terminal does.
    pub(super) fn signal_group(&self, signal: Signal) -> Result<()> {
        Ok(kill_process_group(process::pid(&self.child)?, signal)?)
    }

    /// Waits for its end.
    pub(super) async fn finish(mut self) -> Result<Finished> {
        let ended = timeout(LIMIT, self.child.wait()).await;
        let (stdout, stderr) = (
            fs::read_to_string(&self.stdout)?,
            fs::read_to_string(&self.stderr)?,
        );
        let Ok(status) = ended else {
            bail!("keeper does not end:\n{stderr}");
        };
        let status = status?;
        Ok(Finished {
            code: status.code(),
            signal: status.signal(),
            stdout,
            stderr,
        })
    }
}

/// A network namespace, gone with this value and with all that runs in it.
struct Namespace {
    name: String,
}

impl Namespace {
    fn new(name: &str) -> Result<Self> {
        let name = format!("hive-{name}-{}", std::process::id());
        ip(&["netns", "add", &name])?;
        let namespace = Self { name };
        ip(&["-n", &namespace.name, "link", "set", "lo", "up"])?;
        Ok(namespace)
    }

    /// `ip netns exec` becomes the program itself.
    fn command(&self, program: &Path) -> Command {
        let ip = path_of("ip").unwrap_or_else(|| "ip".into());
        let mut command = Command::new(ip);
        command.args(["netns", "exec", &self.name]).arg(program);
        command
    }

    fn pids_of(&self, program: &str) -> Result<Vec<Pid>> {
        let output = Blocking::new("ip")
            .args(["netns", "pids", &self.name])
            .output()?;
        let pids = String::from_utf8(output.stdout)?;
        let is_program = |pid: &&str| {
            fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.trim() == program)
        };
        let pids = pids.split_whitespace().filter(is_program);
        Ok(pids
            .filter_map(|pid| Pid::from_raw(pid.parse().ok()?))
            .collect())
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if let Ok(output) = Blocking::new("ip")
            .args(["netns", "pids", &self.name])
            .output()
        {
            let pids = String::from_utf8_lossy(&output.stdout).into_owned();
            for pid in pids
                .split_whitespace()
                .filter_map(|pid| Pid::from_raw(pid.parse().ok()?))
            {
                // One that has ended meanwhile is gone as well.
                let _ = kill_process(pid, Signal::KILL);
            }
        }
        if let Err(error) = ip(&["netns", "delete", &self.name]) {
            eprintln!("{} stays behind: {error:#}", self.name);
        }
    }
}

/// The near and the far machine with a link between them.
fn linked() -> Result<(Namespace, Namespace)> {
    let (near, far) = (Namespace::new("near")?, Namespace::new("far")?);
    ip(&[
        "-n", &near.name, "link", "add", "near0", "type", "veth", "peer", "name", "far0", "netns",
        &far.name,
    ])?;
    for (namespace, device, address) in [(&near, "near0", "10.77.5.2"), (&far, "far0", FAR_ADDRESS)]
    {
        let address = format!("{address}/24");
        ip(&[
            "-n",
            &namespace.name,
            "address",
            "add",
            &address,
            "dev",
            device,
        ])?;
        ip(&["-n", &namespace.name, "link", "set", device, "up"])?;
    }
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

async fn wait_for_text(path: &Path, text: &str) -> Result<()> {
    let deadline = Instant::now() + LIMIT;
    loop {
        let all = fs::read_to_string(path).unwrap_or_default();
        if all.contains(text) {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "`{text}` did not come:\n{all}");
        sleep(POLL).await;
    }
}

fn ip(arguments: &[&str]) -> Result<()> {
    succeed(Blocking::new("ip").args(arguments))
}
