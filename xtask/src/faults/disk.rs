//! D21, D22: a disk that is full before, while and after the bytes come, under the store and under the state, and one
//! that fails.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Result, anyhow, ensure};
use fake_hub::{Fault, Requests};

use super::{
    scene::{FILE, FILE_BYTES, LIMIT, MODEL, SOME_BYTES, Scene, expect_right, hub, injecting},
    told,
};
use crate::programs::{Programs, succeed};

pub(super) async fn run(programs: &Programs) -> Result<()> {
    told(
        "d21_a_full_disk_before_the_first_byte",
        before(programs).await,
    )?;
    told(
        "d21_a_disk_that_becomes_full_midway",
        midway(programs, SOME_BYTES).await,
    )?;
    told(
        "d21_a_disk_that_becomes_full_before_there_is_a_record",
        midway(programs, 1_000_000).await,
    )?;
    told("d21_a_full_disk_of_the_state", state(programs).await)?;
    for (row, injection, code, is_kept) in [
        (
            "d21_a_full_disk_when_space_is_reserved",
            "fallocate:error=ENOSPC",
            "disk_full",
            false,
        ),
        (
            "d21_a_full_disk_in_a_sync",
            "fdatasync:error=ENOSPC",
            "disk_full",
            false,
        ),
        (
            "d22_a_full_quota",
            "pwritev:error=EDQUOT",
            "disk_full",
            false,
        ),
        (
            "d22_a_disk_that_fails_in_a_write",
            "pwritev:error=EIO",
            "io_error",
            false,
        ),
        (
            "d22_a_disk_that_fails_in_a_sync",
            "fdatasync:error=EIO",
            "io_error",
            false,
        ),
        (
            "d22_no_more_open_files",
            "openat:error=EMFILE",
            "io_error",
            false,
        ),
    ] {
        told(row, injected(programs, injection, code, is_kept).await)?;
    }
    told(
        "d22_a_file_system_without_links",
        without_links(programs).await,
    )?;
    told(
        "d32_a_cancel_in_a_sync",
        cancelled_in_a_sync(programs).await,
    )
}

/// A file system in memory of so many bytes; unmounted when dropped.
pub(super) struct SmallDisk(PathBuf);

impl SmallDisk {
    pub(super) fn mount(folder: PathBuf, bytes: u64) -> Result<Self> {
        fs::create_dir_all(&folder)?;
        let options = format!("size={bytes},mode=0700");
        succeed(
            Command::new("mount")
                .args(["-t", "tmpfs", "-o", &options, "tmpfs"])
                .arg(&folder),
        )?;
        Ok(Self(folder))
    }

    /// Takes all that is free.
    pub(super) fn fill(&self) -> Result<PathBuf> {
        let filler = self.0.join("filler");
        let written = fs::write(&filler, vec![1; 64 * 1024 * 1024]);
        ensure!(written.is_err(), "the disk has room for more");
        Ok(filler)
    }

    pub(super) fn remount_read_only(&self) -> Result<()> {
        succeed(
            Command::new("mount")
                .args(["-o", "remount,ro"])
                .arg(&self.0),
        )
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Whoever still has a file open keeps it; the place is free at once.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

async fn before(programs: &Programs) -> Result<()> {
    let hub = hub().await;
    let scene = Scene::new(programs, hub.endpoint())?;
    let disk = SmallDisk::mount(scene.store(), FILE_BYTES / 2)?;
    let hive = scene.hive("state", &[]).await?;
    let end = scene.download(&hive).await?;
    end.expect_code("insufficient_storage")?;
    ensure!(hub.cdn().requests().is_empty(), "a byte was asked for");
    scene.stop(hive).await?;
    drop(disk);
    Ok(())
}

async fn midway(programs: &Programs, received: u64) -> Result<()> {
    let hub = hub().await;
    let scene = Scene::new(programs, hub.endpoint())?;
    let disk = SmallDisk::mount(scene.store(), FILE_BYTES * 2)?;
    let stalled = hub.on(Requests::cdn()).answer(Fault::StallAfter(received));
    let hive = scene.hive("state", &[]).await?;
    let filling = async {
        let partial = scene.partial()?;
        let is_half = || written(&partial) >= received;
        scene.wait_until("what is sent", is_half).await?;
        let filler = disk.fill()?;
        stalled.release();
        Ok::<_, anyhow::Error>(filler)
    };
    let (end, filler) = tokio::join!(scene.download(&hive), filling);
    let (end, filler) = (end?, filler?);
    end.expect_code("disk_full")?;
    ensure!(
        (end.bytes_kept > 0) == (received == SOME_BYTES),
        "the job is {}",
        end.job
    );

    fs::remove_file(filler)?;
    let sent = hub.cdn().bytes_sent_total();
    scene.download(&hive).await?.expect_success()?;
    expect_right(&scene.blob()?)?;
    let again = hub.cdn().bytes_sent_total() - sent;
    ensure!(
        again == FILE_BYTES - end.bytes_kept,
        "{again} bytes came again"
    );
    scene.stop(hive).await
}

fn written(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |file| file.len())
}

/// A job whose end cannot be recorded waits for room, and then succeeds.
async fn state(programs: &Programs) -> Result<()> {
    let hub = hub().await;
    let scene = Scene::new(programs, hub.endpoint())?;
    let disk = SmallDisk::mount(scene.path("state"), 4_000_000)?;
    let held = hub.on(Requests::cdn()).answer(Fault::StallAfter(1_000));
    let hive = scene.hive("state", &[]).await?;
    let filling = async {
        let seen = hub.cdn().wait_for_bytes_sent(FILE, 1_000, LIMIT).await;
        seen.map_err(|overdue| anyhow!("{overdue:?}"))?;
        let filler = disk.fill()?;
        held.release();
        let blob = scene.blob()?;
        scene.wait_until("the blob", || blob.exists()).await?;
        Ok::<_, anyhow::Error>(fs::remove_file(filler)?)
    };
    let (end, filled) = tokio::join!(scene.download(&hive), filling);
    filled?;
    end?.expect_success()?;
    expect_right(&scene.blob()?)?;
    scene.stop(hive).await
}

/// One system call on the partial fails as it is told to.
async fn injected(programs: &Programs, injection: &str, code: &str, is_kept: bool) -> Result<()> {
    let hub = hub().await;
    let scene = Scene::new(programs, hub.endpoint())?;
    let under = injecting(&scene.partial()?, injection);
    let hive = scene.hive("state", &under).await?;
    let end = scene.download(&hive).await?;
    end.expect_code(code)?;
    ensure!((end.bytes_kept > 0) == is_kept, "the job is {}", end.job);
    ensure!(!scene.blob()?.exists(), "the file is in its place");
    scene.stop(hive).await?;

    // The disk is well again, and the same job is done.
    let hive = scene.hive("state", &[]).await?;
    scene.download(&hive).await?.expect_success()?;
    expect_right(&scene.blob()?)?;
    scene.stop(hive).await
}

/// As on exFAT: it is refused before the first byte, and not when all of them are here.
async fn without_links(programs: &Programs) -> Result<()> {
    let hub = hub().await;
    let scene = Scene::new(programs, hub.endpoint())?;
    let under = injecting(&scene.repository(), "symlinkat:error=EPERM");
    let hive = scene.hive("state", &under).await?;
    let end = scene.download(&hive).await?;
    end.expect_code("links_unsupported")?;
    ensure!(
        hub.cdn().requests().is_empty(),
        "something was fetched for nothing"
    );
    scene.stop(hive).await
}

/// The disk takes two seconds for each sync, and the job ends when the one that runs has ended.
async fn cancelled_in_a_sync(programs: &Programs) -> Result<()> {
    let received = SOME_BYTES;
    let hub = hub().await;
    let stalled = hub.on(Requests::cdn()).answer(Fault::StallAfter(received));
    let scene = Scene::new(programs, hub.endpoint())?;
    let partial = scene.partial()?;
    let under = injecting(&partial, "fdatasync:delay_enter=2000000");
    let hive = scene.hive("state", &under).await?;
    let detached = scene
        .keeper(&hive, &["model", "download", "--detach", MODEL])
        .await?;
    ensure!(detached.status.success(), "{detached:?}");
    let is_half = || written(&partial) >= received;
    scene.wait_until("what is sent", is_half).await?;
    let cancelled = scene.keeper(&hive, &["job", "cancel", "last"]).await?;
    ensure!(cancelled.status.success(), "{cancelled:?}");
    scene
        .wait_until("the end of the connection", || {
            hub.cdn().open_connections() == 0
        })
        .await?;
    stalled.release();
    let watched = scene.keeper(&hive, &["job", "watch", "last"]).await?;
    let said = String::from_utf8(watched.stdout)?;
    ensure!(said.contains("\"cancelled\""), "{said}");
    scene.stop(hive).await
}
