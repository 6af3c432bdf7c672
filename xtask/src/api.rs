//! Asks a hive everything that its description allows, and much that it does not: schemathesis, from Python's package
//! index, against a real hive with a fake Hub. It goes into `target/schemathesis`.

use std::{
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use anyhow::{Context, Result, ensure};
use fake_hub::{FakeHub, Repository};

use crate::{
    listening_hive::ListeningHive,
    programs::{Profile, Programs, root},
    virtual_environment,
};

const SCHEMATHESIS: &str = "schemathesis==4.32.5";
/// The one of the description's examples.
const MODEL: &str = "Qwen/Qwen3-8B-GGUF";
const MODEL_BYTES: u64 = 2_000_000;

/// Runs every check of schemathesis over every route.
pub(crate) async fn run() -> Result<ExitCode> {
    let programs = Programs::build(Profile::Dev)?;
    let schemathesis = virtual_environment::install("schemathesis", &[SCHEMATHESIS])?;
    let hub = FakeHub::builder()
        .repository(Repository::sample_gguf(MODEL, MODEL_BYTES))
        .start()
        .await;
    let hive = ListeningHive::start(&programs.hive(), &[], hub.endpoint()).await?;
    let asked = ask(&schemathesis.join("bin/schemathesis"), &hive);
    hive.stop().await?;
    asked?;
    hub.assert_no_token_leak();
    eprintln!("A hive answers as docs/api/openapi.json says");
    Ok(ExitCode::SUCCESS)
}

fn ask(schemathesis: &Path, hive: &ListeningHive) -> Result<()> {
    let folder = |path: &str| -> PathBuf { root().join(path) };
    let mut command = Command::new(schemathesis);
    command
        .arg("--config-file")
        .arg(folder("xtask/src/api/schemathesis.toml"))
        .arg("run")
        .arg(folder("docs/api/openapi.json"))
        .args(["--url", &format!("http://{}", hive.address())])
        .env("HIVE_TOKEN", hive.token())
        // What it remembers of a run goes where the hive's files go.
        .current_dir(hive.home());
    // The command is not shown: the token is among its variables.
    let status = command.status().context("schemathesis did not start")?;
    ensure!(status.success(), "hive and docs/api/openapi.json differ");
    Ok(())
}
