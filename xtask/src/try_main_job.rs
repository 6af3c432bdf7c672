//! `cargo xtask try`: the main job in front of a newcomer, with no network and no set-up. A fake Hub with a generated
//! model, a real hive, a real keeper; every folder is temporary and nothing is left behind.

use std::{
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{Command, ExitCode, ExitStatus, Stdio},
};

use anyhow::{Context, Result, ensure};
use clap::Args;
use fake_hub::{Content, FakeHub, Fault, Repository, Requests};
use tokio::signal::unix::{SignalKind, signal};

use crate::programs::{Profile, Programs};

const MODEL: &str = "acme/Tiny-GGUF";

#[derive(Args)]
pub(crate) struct Options {
    /// The size of the generated model, in megabytes
    #[arg(long, value_name = "MB", default_value_t = 200)]
    megabytes: u64,
    /// How much each connection of the fake Hub's CDN sends a second, in megabytes
    #[arg(long, value_name = "MB", default_value_t = 20)]
    megabytes_per_second: u64,
}

/// Runs the main job and ends as keeper ended.
pub(crate) async fn run(options: Options) -> Result<ExitCode> {
    eprintln!("Building hive and keeper");
    let programs = Programs::build(Profile::Dev)?;
    let hub = FakeHub::builder()
        .repository(repository(options.megabytes * 1_000_000))
        .start()
        .await;
    hub.on(Requests::cdn()).answer(Fault::Drip {
        bytes_per_second: options.megabytes_per_second * 1_000_000,
    });
    let home = tempfile::TempDir::with_prefix("try-")?;
    eprintln!(
        "A fake Hub serves {MODEL} at {}; all folders are in {}\n",
        hub.endpoint(),
        home.path().display()
    );

    // Ctrl+C reaches keeper by itself, which cancels the job; this task stays to clean up.
    let mut interrupts = signal(SignalKind::interrupt())?;
    let environment = Environment {
        home: home.path(),
        hub_endpoint: hub.endpoint().to_string(),
    };
    let mut keeper = |arguments: &[&str]| environment.keeper(&programs, arguments);
    let outcome = show(
        &mut keeper,
        &["model", "download", &format!("{MODEL}:Q4_K_M")],
    )
    .await;
    let listed = show(&mut keeper, &["job", "list"]).await;
    let stopped = keeper(&["hive", "stop"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    ensure!(stopped.success(), "the hive did not stop: {stopped}");
    let interrupted = futures_util::FutureExt::now_or_never(interrupts.recv()).is_some();
    let status = outcome?;
    listed?;

    hub.assert_no_token_leak();
    if interrupted {
        eprintln!("\nCancelled; the hive is stopped and every folder is gone");
        return Ok(ExitCode::SUCCESS);
    }
    ensure!(status.success(), "keeper ended with {status}");
    eprintln!(
        "\nDone; the hive is stopped and every folder is gone. Next time, press Ctrl+C in the middle"
    );
    Ok(ExitCode::SUCCESS)
}

fn repository(bytes: u64) -> Repository {
    Repository::model(MODEL)
        .file("README.md", "# Tiny\n")
        .large_file(
            "Tiny-Q4_K_M.gguf",
            Content::gguf("Tiny", bytes.max(Content::GGUF_MIN_BYTES)),
        )
        .large_file(
            "Tiny-Q8_0.gguf",
            Content::gguf("Tiny", 2 * bytes.max(Content::GGUF_MIN_BYTES)),
        )
}

/// Shows a command as it would be typed, and runs it with this terminal.
async fn show(
    keeper: &mut impl FnMut(&[&str]) -> Command,
    arguments: &[&str],
) -> Result<ExitStatus> {
    eprintln!("$ keeper {}", arguments.join(" "));
    let mut command = tokio::process::Command::from(keeper(arguments));
    let status = command.status().await.context("keeper did not start")?;
    match status.signal() {
        Some(signal) => eprintln!("(keeper ended by signal {signal})\n"),
        None => eprintln!("(exit {})\n", status.code().unwrap_or_default()),
    }
    Ok(status)
}

/// What the programs see: folders of this run alone, and the fake Hub.
struct Environment<'a> {
    home: &'a Path,
    hub_endpoint: String,
}

impl Environment<'_> {
    fn keeper(&self, programs: &Programs, arguments: &[&str]) -> Command {
        let mut command = Command::new(programs.keeper());
        command
            .args(arguments)
            .env_remove("KEEPER_HIVE")
            .env_remove("KEEPER_NO_AUTOSTART")
            .env_remove("HF_HUB_CACHE")
            .env_remove("HF_TOKEN")
            .env_remove("HF_HUB_OFFLINE")
            .env("HF_HOME", self.home.join("huggingface"))
            .env("HF_ENDPOINT", &self.hub_endpoint)
            .env("HIVE_STATE_DIR", self.home.join("state"))
            .env("KEEPER_CONFIG_DIR", self.home.join("keeper"));
        command
    }
}
