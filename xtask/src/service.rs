//! Shows that the service is sound: systemd accepts what `hive service install` writes and finds it sandboxed, a hive
//! does nothing that the sandbox forbids, and what it downloads other users read while its state is closed to them.
//! Needs root, to be several users.

mod sandbox;

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use fake_hub::{Content, FakeHub, Repository};
use tempfile::TempDir;
use tokio::{
    net::UnixStream,
    process::Child,
    time::{Instant, sleep, timeout},
};

use crate::{
    packages, process,
    programs::{Profile, Programs, succeed},
};

/// In tenths, as `--threshold` takes it: 0 is none, 100 is everything.
const MOST_EXPOSURE: &str = "25";
/// Nothing has to exist under this number.
const OTHER_USER: u32 = 64001;
const MODEL: &str = "acme/Tiny-GGUF";
const FILE: &str = "Tiny-Q4_K_M.gguf";
const LIMIT: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(20);

/// Installs into an image and looks at what is there.
pub(crate) async fn run() -> Result<ExitCode> {
    packages::install_missing(&[
        ("systemd-analyze", "systemd"),
        ("systemd-sysusers", "systemd"),
        ("strace", "strace"),
    ])?;
    let folder = TempDir::with_prefix("service-")?;
    let programs = Programs::build(Profile::Dev)?.readable_in(folder.path())?;
    let image = folder.path().join("image");
    fs::create_dir_all(image.join("etc"))?;
    succeed(
        Command::new(programs.hive())
            .args(["service", "install", "--root"])
            .arg(&image),
    )?;
    units_are_sound(&image, &programs, folder.path())?;
    others_read_the_models(&image, &programs, folder.path()).await?;
    succeed(
        Command::new(programs.hive())
            .args(["service", "uninstall", "--root"])
            .arg(&image),
    )?;
    ensure!(
        !image.join("etc/systemd/system/hive.service").exists(),
        "the unit is still there"
    );
    eprintln!("The service is sound");
    Ok(ExitCode::SUCCESS)
}

fn units_are_sound(image: &Path, programs: &Programs, folder: &Path) -> Result<()> {
    let system = image.join("etc/systemd/system/hive.service");
    let enabled = image.join("etc/systemd/system/multi-user.target.wants/hive.service");
    ensure!(enabled.is_symlink(), "the service is not enabled");
    verify("--system", &system, folder)?;
    exposure(&system)?;

    // Its manager is not here, and neither is what it would be asked.
    let stand_in = folder.join("stand-in");
    fs::create_dir(&stand_in)?;
    let systemctl = stand_in.join("systemctl");
    fs::write(&systemctl, "#!/bin/sh\n")?;
    fs::set_permissions(&systemctl, fs::Permissions::from_mode(0o755))?;
    succeed(
        Command::new(programs.hive())
            .args(["service", "install", "--user"])
            .env("PATH", &stand_in)
            .env("XDG_CONFIG_HOME", folder.join("config")),
    )?;
    verify(
        "--user",
        &folder.join("config/systemd/user/hive.service"),
        folder,
    )
}

/// Says the figure, which the unit must not exceed.
fn exposure(unit: &Path) -> Result<()> {
    let output = Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--no-pager"])
        .arg(format!("--threshold={MOST_EXPOSURE}"))
        .arg(unit)
        .output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "{said}");
    eprintln!("{}", said.lines().last().unwrap_or_default());
    Ok(())
}

/// systemd says what it does not understand on stderr, and may succeed all the same.
fn verify(manager: &str, unit: &Path, runtime: &Path) -> Result<()> {
    let output = Command::new("systemd-analyze")
        .arg("verify")
        .args([manager, "--man=no", "--recursive-errors=no"])
        .env("XDG_RUNTIME_DIR", runtime)
        .arg(unit)
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    let of_ours: Vec<&str> = said.lines().filter(|line| line.contains("hive")).collect();
    ensure!(
        output.status.success() && of_ours.is_empty(),
        "{}: {said}",
        unit.display()
    );
    eprintln!("systemd accepts {}", unit.display());
    Ok(())
}

async fn others_read_the_models(image: &Path, programs: &Programs, folder: &Path) -> Result<()> {
    fs::set_permissions(image, fs::Permissions::from_mode(0o755))?;
    let service = Service::new(image, folder)?;
    let repository = Repository::model(MODEL).large_file(FILE, Content::gguf("Tiny", 3_000_000));
    let hub = FakeHub::builder().repository(repository).start().await;
    let mut hive = service.start(programs, hub.endpoint()).await?;
    let downloaded = service
        .run_as(service.user, &programs.keeper())
        .env("KEEPER_NO_AUTOSTART", "1")
        .env("KEEPER_CONFIG_DIR", folder.join("keeper"))
        .args(["model", "download", MODEL])
        .output()?;
    ensure!(downloaded.status.success(), "{downloaded:?}");
    let path = String::from_utf8(downloaded.stdout)?;
    let path = Path::new(path.trim());
    closed_to_others(&service, path)?;
    rustix::process::kill_process(process::pid(&hive)?, rustix::process::Signal::TERM)?;
    let ended = timeout(LIMIT, hive.wait())
        .await
        .context("hive does not stop")??;
    ensure!(ended.success(), "hive ended with {ended}");
    sandbox::allows(&service.unit, &service.calls)
}

fn closed_to_others(service: &Service, model: &Path) -> Result<()> {
    let read = service
        .run_as(OTHER_USER, Path::new("/usr/bin/sha256sum"))
        .arg(model)
        .output()?;
    ensure!(
        read.status.success(),
        "another user cannot read it: {read:?}"
    );
    let blob = model.canonicalize()?.metadata()?;
    ensure!(
        blob.mode() & 0o7777 == 0o644 && blob.gid() == service.group,
        "the blob is {:o}",
        blob.mode()
    );
    let snapshot = model
        .parent()
        .context("a model is in a folder")?
        .metadata()?;
    ensure!(
        snapshot.mode() & 0o7777 == 0o2755 && snapshot.gid() == service.group,
        "the snapshot is {:o}",
        snapshot.mode()
    );
    for (program, of) in [
        ("/usr/bin/ls", &service.state),
        ("/usr/bin/cat", &service.state.join("token")),
        ("/usr/bin/cat", &service.state.join("hive.db")),
        ("/usr/bin/touch", &model.with_extension("planted")),
    ] {
        let intruding = service
            .run_as(OTHER_USER, Path::new(program))
            .arg(of)
            .output()?;
        ensure!(
            !intruding.status.success(),
            "another user's {program} on {} succeeds",
            of.display()
        );
    }
    eprintln!(
        "Another user reads the model, and neither the state nor changes to the store are open to it"
    );
    Ok(())
}

/// The service's user and folders, as systemd's programs made them from what was installed.
struct Service {
    user: u32,
    group: u32,
    unit: PathBuf,
    store: PathBuf,
    state: PathBuf,
    /// Every system call of its hive.
    calls: PathBuf,
}

impl Service {
    fn new(image: &Path, folder: &Path) -> Result<Self> {
        let (user, group) = user_of(&image.join("etc/passwd"))?;
        let store = image.join("srv/hive/hub");
        let made = store.metadata().context("there is no store")?;
        ensure!(
            (made.uid(), made.gid(), made.mode() & 0o7777) == (user, group, 0o2775),
            "the store is {:o} of {}:{}",
            made.mode(),
            made.uid(),
            made.gid()
        );
        // What StateDirectory= does.
        let state = folder.join("state");
        fs::create_dir(&state)?;
        fs::set_permissions(&state, fs::Permissions::from_mode(0o700))?;
        chown(&state, Some(user), Some(group))?;
        let calls = folder.join("calls");
        fs::create_dir(&calls)?;
        chown(&calls, Some(user), Some(group))?;
        Ok(Self {
            user,
            group,
            unit: image.join("etc/systemd/system/hive.service"),
            store,
            state,
            calls: calls.join("all"),
        })
    }

    /// With the umask of the unit.
    fn run_as(&self, user: u32, program: &Path) -> Command {
        use std::os::unix::process::CommandExt;
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", "umask 0022; exec \"$@\"", "sh"])
            .arg(program)
            .env_clear()
            .env("HOME", &self.state)
            .env("HIVE_STATE_DIR", &self.state)
            .env("HF_HUB_CACHE", &self.store)
            .current_dir("/")
            .uid(user)
            .gid(if user == self.user { self.group } else { user });
        command
    }

    /// Its hive, with every system call written down.
    async fn start(&self, programs: &Programs, hub: &str) -> Result<Child> {
        let mut command = self.run_as(self.user, Path::new("/usr/bin/strace"));
        command
            .args(["-f", "-D", "-qq", "-e", "signal=none", "-o"])
            .arg(&self.calls)
            .arg(programs.hive())
            .args(["serve", "--listen", "127.0.0.1:0"])
            .env("HF_ENDPOINT", hub);
        let mut hive = tokio::process::Command::from(command)
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let deadline = Instant::now() + LIMIT;
        let socket = self.state.join("hive.sock");
        while UnixStream::connect(&socket).await.is_err() {
            if hive.try_wait()?.is_some() || Instant::now() > deadline {
                bail!("the hive does not serve");
            }
            sleep(POLL).await;
        }
        Ok(hive)
    }
}

fn user_of(passwd: &Path) -> Result<(u32, u32)> {
    let text = fs::read_to_string(passwd)?;
    let line = text.lines().find(|line| line.starts_with("hive:"));
    let fields: Vec<&str> = line.context("there is no user hive")?.split(':').collect();
    let [_, _, user, group, ..] = fields[..] else {
        bail!("{} is not readable", passwd.display());
    };
    Ok((user.parse()?, group.parse()?))
}
