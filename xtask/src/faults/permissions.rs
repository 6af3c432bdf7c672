//! D22: a store that the hive may not write to, and one that nobody may.

use std::{
    ffi::OsString,
    fs,
    os::unix::fs::{PermissionsExt, chown},
};

use anyhow::{Result, ensure};
use tempfile::TempDir;

use super::{
    disk::SmallDisk,
    scene::{FILE_BYTES, Scene, hub},
    told,
};
use crate::programs::Programs;

/// Any user that is not root; nothing has to exist under this number.
const SOMEBODY: u32 = 64001;

pub(super) async fn run(programs: &Programs) -> Result<()> {
    told("d22_a_store_without_permission", forbidden(programs).await)?;
    told("d22_a_store_that_is_read_only", read_only(programs).await)
}

/// Permissions do not hold root back, so the hive runs as somebody else.
async fn forbidden(programs: &Programs) -> Result<()> {
    let hub = hub().await;
    let readable = TempDir::with_prefix("faults-")?;
    let programs = programs.readable_in(readable.path())?;
    let scene = Scene::new(&programs, hub.endpoint())?;
    fs::set_permissions(scene.folder.path(), fs::Permissions::from_mode(0o755))?;
    fs::create_dir(scene.store())?;
    fs::create_dir(scene.path("state"))?;
    fs::set_permissions(scene.path("state"), fs::Permissions::from_mode(0o700))?;
    chown(scene.path("state"), Some(SOMEBODY), Some(SOMEBODY))?;
    let words = [
        "setpriv",
        "--reuid",
        "64001",
        "--regid",
        "64001",
        "--clear-groups",
    ];
    let hive = scene.hive("state", &words.map(OsString::from)).await?;
    scene
        .download(&hive)
        .await?
        .expect_code("permission_denied")?;
    ensure!(hub.cdn().requests().is_empty(), "a byte was asked for");
    scene.stop(hive).await
}

async fn read_only(programs: &Programs) -> Result<()> {
    let hub = hub().await;
    let scene = Scene::new(programs, hub.endpoint())?;
    let disk = SmallDisk::mount(scene.store(), FILE_BYTES * 2)?;
    disk.remount_read_only()?;
    let hive = scene.hive("state", &[]).await?;
    scene.download(&hive).await?.expect_code("read_only")?;
    ensure!(hub.cdn().requests().is_empty(), "a byte was asked for");
    scene.stop(hive).await
}
