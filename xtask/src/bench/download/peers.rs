//! The programs that hive is measured against, each told to do its best.

use std::{ffi::OsStr, fmt::Write as _, fs, path::Path, process::Stdio};

use anyhow::Result;
use tokio::process::Command;

use super::{
    contender::Programs,
    measure::{self, Measured},
    origin::Origin,
};

/// curl, several files at once where there are several.
pub(super) async fn curl(origin: &Origin, folder: &Path) -> Result<Measured> {
    let mut list = String::new();
    for file in &origin.files {
        writeln!(list, "url = \"{}\"\noutput = \"{}\"", file.url, file.path)?;
    }
    fs::write(folder.join("curl.list"), list)?;
    let mut curl = peer("curl", folder);
    curl.args(["--disable", "--no-progress-meter", "--fail", "--location"])
        .args(["--noproxy", "*", "--create-dirs", "--config", "curl.list"]);
    if origin.files.len() > 1 {
        curl.args(["--parallel", "--parallel-max", "16"]);
    }
    measure::run(curl, None).await
}

/// One sha256 pass over what was downloaded.
pub(super) async fn openssl(origin: &Origin, folder: &Path) -> Result<Measured> {
    let mut openssl = peer("openssl", folder);
    openssl
        .args(["dgst", "-sha256"])
        .args(origin.files.iter().map(|file| &file.path));
    measure::run(openssl, None).await
}

/// aria2c with 16 connections for a file, and 16 files at once.
pub(super) async fn aria2(origin: &Origin, folder: &Path, checked: bool) -> Result<Measured> {
    let mut list = String::new();
    for file in &origin.files {
        writeln!(list, "{}\n  out={}", file.url, file.path)?;
        if let Some(sha256) = file.sha256.as_ref().filter(|_| checked) {
            writeln!(list, "  checksum=sha-256={sha256}")?;
        }
    }
    fs::write(folder.join("aria2.list"), list)?;
    let mut aria2 = peer("aria2c", folder);
    aria2
        .args(["--no-conf", "--quiet", "--input-file=aria2.list"])
        .args(["-x16", "-s16", "-j16"])
        // Its default writes every file once before it downloads it.
        .arg("--file-allocation=none");
    measure::run(aria2, None).await
}

/// The Hub's own Python client.
pub(super) async fn hf(programs: &Programs, origin: &Origin, folder: &Path) -> Result<Measured> {
    let mut hf = peer(&programs.hf, folder);
    hf.args(["download", origin.model])
        .env("HF_ENDPOINT", origin.endpoint())
        .env("HF_HUB_DISABLE_PROGRESS_BARS", "1")
        .env("HF_HUB_DISABLE_TELEMETRY", "1")
        .env("HF_HUB_DISABLE_UPDATE_CHECK", "1");
    measure::run(hf, None).await
}

/// A program that finds its home in `folder` and none of the caller's settings.
fn peer(program: impl AsRef<OsStr>, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir(folder)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    command
}
