//! A hive with a store and a state of its own, and one download by keeper.

use std::{ffi::OsStr, path::Path, process::Stdio, time::Duration};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    net::UnixStream,
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

use super::{
    contender::Programs,
    measure::{self, Measured},
    origin::Origin,
};

const LIMIT: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(10);

/// From the start of keeper to its end. The hive runs before; CPU is that of both, memory that of the hive above idle.
pub(super) async fn download(
    programs: &Programs,
    origin: &Origin,
    folder: &Path,
) -> Result<Measured> {
    let hive = Hive::start(&programs.hive, origin, folder).await?;
    let idle_bytes = measure::memory_bytes(hive.pid)?;
    let idle_cpu = measure::cpu_time(hive.pid)?;
    let mut keeper = ours(&programs.keeper, origin, folder);
    keeper
        .args(["model", "download", origin.model, "--all-files", "--quiet"])
        .env("KEEPER_NO_AUTOSTART", "1");
    let measured = measure::run(keeper, Some(hive.pid)).await?;
    let cpu = measured.cpu + measure::cpu_time(hive.pid)?.saturating_sub(idle_cpu);
    hive.stop().await?;
    Ok(Measured {
        cpu,
        peak_memory_bytes: measured.peak_memory_bytes.saturating_sub(idle_bytes),
        ..measured
    })
}

/// A running hive; it is killed if this is dropped.
struct Hive {
    process: Child,
    pid: Pid,
}

impl Hive {
    async fn start(program: &Path, origin: &Origin, folder: &Path) -> Result<Self> {
        let mut process = ours(program, origin, folder)
            .arg("serve")
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("hive did not start")?;
        let pid = measure::pid(&process)?;
        let socket = folder.join("state/hive.sock");
        let deadline = Instant::now() + LIMIT;
        while UnixStream::connect(&socket).await.is_err() {
            if process.try_wait()?.is_some() || Instant::now() > deadline {
                bail!("hive does not listen");
            }
            sleep(POLL).await;
        }
        Ok(Self { process, pid })
    }

    async fn stop(mut self) -> Result<()> {
        kill_process(self.pid, Signal::TERM)?;
        timeout(LIMIT, self.process.wait())
            .await
            .context("hive does not stop")??;
        Ok(())
    }
}

/// A program of ours that knows no folder but this one, and no Hub but this one.
fn ours(program: impl AsRef<OsStr>, origin: &Origin, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("HOME", folder)
        .env("HIVE_STATE_DIR", folder.join("state"))
        .env("HF_ENDPOINT", origin.endpoint())
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    command
}
