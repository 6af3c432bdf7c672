//! Shows that the Hub's own Python client accepts a store that hive wrote: the same snapshot path without a network,
//! and the model in its list. Needs Python and its package index; the client goes into `target/python-client`.

use std::{
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use anyhow::{Context, Result, ensure};
use fake_hub::{Content, FakeHub, Repository};

use crate::{
    programs::{Profile, Programs},
    virtual_environment,
};

const CLIENT: &str = "huggingface_hub==2.4.0";
const GGUF: &str = "acme/Tiny-GGUF";
const SAFETENSORS: &str = "acme/Tiny";

/// Downloads two models with keeper and asks the Python client about them.
pub(crate) async fn run() -> Result<ExitCode> {
    let programs = Programs::build(Profile::Dev)?;
    let hf = install_client()?;
    let hub = FakeHub::builder()
        .repository(gguf())
        .repository(safetensors())
        .start()
        .await;
    let home = tempfile::TempDir::with_prefix("python-client-")?;
    let endpoint = hub.endpoint().to_string();
    let keeper = |arguments: &[&str]| run_in(&programs.keeper(), arguments, home.path(), &endpoint);

    let compared = compare(&hf, &keeper, home.path(), &endpoint);
    keeper(&["hive", "stop"])?;
    compared?;
    hub.assert_no_token_leak();
    eprintln!("The Python client finds what hive wrote");
    Ok(ExitCode::SUCCESS)
}

fn compare(
    hf: &Path,
    keeper: &impl Fn(&[&str]) -> Result<String>,
    home: &Path,
    endpoint: &str,
) -> Result<()> {
    for model in [GGUF, SAFETENSORS] {
        keeper(&["model", "download", model, "--all-files"])?;
        let folder = run_in(hf, &["download", "--quiet", model], home, endpoint)?;
        let shown = keeper(&["model", "show", model, "--format", "json"])?;
        ensure!(
            shown.contains(folder.trim()),
            "`hf download {model}` says {folder}, and `keeper model show` says {shown}"
        );
    }
    let listed = run_in(hf, &["cache", "ls"], home, endpoint)?;
    for model in [GGUF, SAFETENSORS] {
        ensure!(
            listed.contains(model),
            "`hf cache ls` lacks {model}:\n{listed}"
        );
    }
    Ok(())
}

fn gguf() -> Repository {
    Repository::model(GGUF)
        .file("README.md", "# Tiny\n")
        .large_file("Tiny-Q4_K_M.gguf", Content::gguf("Tiny", 100_000))
}

fn safetensors() -> Repository {
    Repository::model(SAFETENSORS)
        .file("config.json", "{}")
        .file("sub/folder/tokenizer.json", "{}")
        .large_file("model.safetensors", Content::safetensors("weight", 100_000))
}

/// The Python client in a virtual environment of this checkout.
pub(crate) fn install_client() -> Result<PathBuf> {
    let folder = virtual_environment::install("python-client", &[CLIENT])?;
    Ok(folder.join("bin/hf"))
}

/// Runs a program to its end, as the Hub's clients run without a network, and gives its standard output.
fn run_in(program: &Path, arguments: &[&str], home: &Path, endpoint: &str) -> Result<String> {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", home)
        .env("HIVE_STATE_DIR", home.join("state"))
        .env("HF_ENDPOINT", endpoint);
    if program.ends_with("hf") {
        command
            .env("HF_HUB_OFFLINE", "1")
            .env("HF_HUB_DISABLE_PROGRESS_BARS", "1");
    }
    let output = command
        .output()
        .with_context(|| format!("{command:?} did not start"))?;
    ensure!(
        output.status.success(),
        "{arguments:?} ended with {}:\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?)
}
