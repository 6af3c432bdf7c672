//! The three machines, the two links, and the programs on them.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use hive_api::{Job, JobResult, Open};
use hive_client::{Endpoint, HiveClient};
use tempfile::TempDir;
use tokio::process::Child;

use crate::{
    keeper::{Keeper, wait_for_text},
    namespaces::{End, Namespace, link},
    programs::{Profile, Programs, built, cargo, succeed},
};

/// What the fake Hub serves.
pub(super) const MODEL: &str = "demo/Tiny-GGUF";
const MODEL_BYTES: u64 = 100_000_000;
/// How many connections a hive has to the CDN for one file.
const CONNECTIONS: u64 = 8;
/// How long a download goes on before and after a break.
const AROUND: Duration = Duration::from_secs(20);
const KEEPER_ADDRESS: &str = "10.77.6.2";
const HIVE_ADDRESS: &str = "10.77.6.1";
const HIVE_TO_HUB_ADDRESS: &str = "10.77.7.1";
const HUB_ADDRESS: &str = "10.77.7.2";
const HUB_PORT: u16 = 7999;
const HIVE_PORT: u16 = 7835;

/// One of the two, by its far end.
#[derive(Clone, Copy)]
pub(super) enum Link {
    ToHive,
    ToHub,
}

/// The three machines; everything ends with this value.
pub(super) struct Scene {
    folder: TempDir,
    programs: PathBuf,
    laptop: Namespace,
    server: Namespace,
    hub: Namespace,
    client: HiveClient,
    _running: [Child; 2],
}

impl Scene {
    /// Lays the links and starts the Hub and the hive, which takes longer than `down` for its model.
    pub(super) async fn start(programs: &Programs, down: Duration) -> Result<Self> {
        succeed(cargo().args(["build", "--quiet", "--package", "fake-hub", "--bins"]))?;
        let folder = TempDir::with_prefix("three-hosts-")?;
        let (laptop, server, hub) = linked()?;
        let rate = MODEL_BYTES / CONNECTIONS / (down + AROUND).as_secs();
        let running = [
            start_hub(&hub, rate)?,
            start_hive(&server, &programs.hive(), folder.path())?,
        ];
        wait_for_text(&folder.path().join("hive.log"), "serving").await?;
        let socket = folder.path().join("hive/state/hive.sock");
        let programs = programs.hive();
        Ok(Self {
            client: HiveClient::connect(&Endpoint::UnixSocket(socket))?,
            programs: programs.parent().context("it has a folder")?.to_owned(),
            folder,
            laptop,
            server,
            hub,
            _running: running,
        })
    }

    /// Runs on the laptop the line that the server prints.
    pub(super) async fn pair(&self) -> Result<()> {
        let mut pair = self.server.command(&self.programs.join("hive"));
        at_home(&mut pair, &self.folder.path().join("hive"));
        let printed = pair.arg("pair").output().await?;
        let line = String::from_utf8(printed.stdout)?;
        let mut words: Vec<&str> = line.split_whitespace().collect();
        ensure!(words.len() > 4, "`hive pair` prints {line}");
        // The names of the machines are in no resolver.
        let address = format!("https://{HIVE_ADDRESS}:{HIVE_PORT}");
        words[3] = "gpu1";
        words[4] = &address;
        let paired = self.keeper("pair", &words[1..])?.finish().await?;
        ensure!(paired.code == Some(0), "{paired:?}");
        Ok(())
    }

    /// Takes a link `down` or `up`, at its far end.
    pub(super) fn set_link(&self, link: Link, state: &str) -> Result<()> {
        match link {
            Link::ToHive => self.server.set_link("keeper0", state),
            Link::ToHub => self.hub.set_link("hub0", state),
        }
    }

    /// Starts keeper on the laptop; `name` names its outputs.
    pub(super) fn keeper(&self, name: &str, arguments: &[&str]) -> Result<Keeper> {
        let mut keeper = self.laptop.command(&self.programs.join("keeper"));
        keeper
            .args(arguments)
            .env("HOME", self.folder.path().join("keeper"));
        Keeper::start(keeper, self.folder.path(), name)
    }

    /// The job that was submitted last, asked on the server itself.
    pub(super) async fn last_job(&self) -> Result<Job> {
        let jobs = self.client.all_jobs(None).await?;
        let last = jobs.into_iter().max_by_key(|job| job.job_id);
        last.context("there is no job")
    }

    /// How much of it is there.
    pub(super) async fn bytes_done(&self) -> Result<u64> {
        Ok(self.last_job().await?.progress.bytes_done)
    }
}

/// What a download that has ended well got from the Hub, all tries together.
pub(super) fn bytes_received(job: &Job) -> Result<u64> {
    match &job.result {
        Some(Open::Known(JobResult::ModelDownload(done))) => Ok(done.bytes_received),
        result => bail!("it ended with {result:?}"),
    }
}

fn linked() -> Result<(Namespace, Namespace, Namespace)> {
    let laptop = Namespace::new("laptop")?;
    let server = Namespace::new("server")?;
    let hub = Namespace::new("hub")?;
    let end = |namespace, device, address| End {
        namespace,
        device,
        address,
    };
    link([
        &end(&laptop, "laptop0", KEEPER_ADDRESS),
        &end(&server, "keeper0", HIVE_ADDRESS),
    ])?;
    link([
        &end(&server, "server0", HIVE_TO_HUB_ADDRESS),
        &end(&hub, "hub0", HUB_ADDRESS),
    ])?;
    Ok((laptop, server, hub))
}

fn start_hub(machine: &Namespace, rate: u64) -> Result<Child> {
    let hub = machine
        .command(&built(Profile::Dev).join("fake-hub"))
        .args(["--listen", &format!("{HUB_ADDRESS}:{HUB_PORT}")])
        .args(["--model-size", &format!("{}MB", MODEL_BYTES / 1_000_000)])
        .args(["--rate", &format!("{rate}B")])
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    Ok(hub)
}

fn start_hive(machine: &Namespace, program: &Path, folder: &Path) -> Result<Child> {
    let home = folder.join("hive");
    fs::create_dir(&home)?;
    let mut hive = machine.command(program);
    at_home(&mut hive, &home);
    let listen = format!("{HIVE_ADDRESS}:{HIVE_PORT}");
    let hive = hive
        .args(["serve", "--listen", &listen, "--tls-self-signed"])
        .stdin(Stdio::null())
        .stderr(File::create(folder.join("hive.log"))?)
        .kill_on_drop(true)
        .spawn()?;
    Ok(hive)
}

fn at_home(hive: &mut tokio::process::Command, home: &Path) {
    hive.env("HOME", home)
        .env("HIVE_STATE_DIR", home.join("state"))
        .env("HF_ENDPOINT", format!("http://{HUB_ADDRESS}:{HUB_PORT}"));
}
