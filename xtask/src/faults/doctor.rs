//! What `hive doctor` says of disks that no test of its own can make: small, full, read-only, failing, without links.

use std::ffi::OsString;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{
    disk::SmallDisk,
    scene::{Scene, injecting},
    told,
};
use crate::programs::Programs;

/// Nobody listens there, and the Hub is not what is looked at.
const NO_HUB: &str = "http://127.0.0.1:9";

pub(super) async fn run(programs: &Programs) -> Result<()> {
    told(
        "doctor_finds_a_store_with_little_room",
        little_room(programs).await,
    )?;
    told(
        "doctor_finds_a_store_that_is_read_only",
        read_only(programs).await,
    )?;
    told(
        "doctor_finds_a_store_without_links",
        without_links(programs).await,
    )?;
    told("doctor_finds_a_disk_that_fails", failing(programs).await)?;
    told(
        "doctor_finds_a_state_folder_that_is_full",
        full_state(programs).await,
    )
}

async fn little_room(programs: &Programs) -> Result<()> {
    let scene = Scene::new(programs, NO_HUB)?;
    let _disk = SmallDisk::mount(scene.store(), 64_000_000)?;
    let findings = scene.findings(&[]).await?;
    expect(&findings, "store", "warn", "make room")?;
    expect(&findings, "disk", "skip", "make room")
}

async fn read_only(programs: &Programs) -> Result<()> {
    let scene = Scene::new(programs, NO_HUB)?;
    let disk = SmallDisk::mount(scene.store(), 64_000_000)?;
    disk.remount_read_only()?;
    let findings = scene.findings(&[]).await?;
    expect(&findings, "store", "fail", "Read-only file system")
}

/// As on exFAT.
async fn without_links(programs: &Programs) -> Result<()> {
    let scene = Scene::new(programs, NO_HUB)?;
    std::fs::create_dir(scene.store())?;
    let under = injecting(&scene.store(), "symlinkat:error=EPERM");
    let findings = scene.findings(&under).await?;
    expect(&findings, "store", "fail", "it has no symbolic links")
}

/// The file that is measured with has no name, so every sync fails.
async fn failing(programs: &Programs) -> Result<()> {
    let scene = Scene::new(programs, NO_HUB)?;
    std::fs::create_dir(scene.store())?;
    let words = ["strace", "-f", "-qq", "-o", "/dev/null"];
    let inject = ["-e", "trace=fdatasync", "-e", "inject=fdatasync:error=EIO"];
    let under: Vec<OsString> = words
        .into_iter()
        .chain(inject)
        .map(OsString::from)
        .collect();
    let findings = scene.findings(&under).await?;
    expect(&findings, "disk", "fail", "dmesg")
}

async fn full_state(programs: &Programs) -> Result<()> {
    let scene = Scene::new(programs, NO_HUB)?;
    let disk = SmallDisk::mount(scene.path("state"), 4_000_000)?;
    let findings = scene.findings(&[]).await?;
    expect(&findings, "state", "warn", "HIVE_STATE_DIR")?;
    disk.fill()?;
    let findings = scene.findings(&[]).await?;
    expect(&findings, "state", "fail", "HIVE_STATE_DIR")
}

/// The finding of this check is at this level and says this.
fn expect(findings: &[Value], check: &str, level: &str, words: &str) -> Result<()> {
    let finding = findings.iter().find(|finding| finding["check"] == check);
    let finding = finding.with_context(|| format!("no {check}: {findings:#?}"))?;
    ensure!(
        finding["level"] == level && finding.to_string().contains(words),
        "{finding}"
    );
    Ok(())
}
