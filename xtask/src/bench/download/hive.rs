//! One download by hive, asked for by keeper.

use std::{
    fs::{self, Metadata},
    os::unix::fs::MetadataExt,
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result};

use super::{
    contender::Programs,
    measure::{self, Measured},
    origin::Origin,
};
use crate::{
    hive::{Hive, ours},
    process,
};

/// Where the blobs of the one model are, below the folder of a run.
const BLOBS: &str = ".cache/huggingface/hub/models--acme--Bench-GGUF/blobs";

/// From the start of keeper to its end. The hive runs before; CPU is that of both, memory that of the hive above idle.
pub(super) async fn download(
    programs: &Programs,
    origin: &Origin,
    folder: &Path,
) -> Result<Measured> {
    let hive = Hive::start(&programs.hive, &[], origin.endpoint(), folder).await?;
    let idle_bytes = process::memory_bytes(hive.pid)?;
    let idle_cpu = process::cpu_time(hive.pid)?;
    let mut keeper = ours(&programs.keeper, origin.endpoint(), folder);
    keeper
        .args(["model", "download", origin.model, "--all-files", "--quiet"])
        .env("KEEPER_NO_AUTOSTART", "1");
    let measured = measure::run(keeper, Some(hive.pid)).await?;
    let cpu = measured.cpu + process::cpu_time(hive.pid)?.saturating_sub(idle_cpu);
    hive.stop().await?;
    let placed_after = match origin.last_byte_at()? {
        Some(last_byte) => Some(
            placed_at(folder)?
                .duration_since(last_byte)
                .unwrap_or_default(),
        ),
        None => None,
    };
    Ok(Measured {
        placed_after,
        cpu,
        peak_memory_bytes: measured.peak_memory_bytes.saturating_sub(idle_bytes),
        ..measured
    })
}

/// When the largest blob of the store took its name: the last change of a file's metadata is its rename.
fn placed_at(folder: &Path) -> Result<SystemTime> {
    let mut largest: Option<Metadata> = None;
    for blob in fs::read_dir(folder.join(BLOBS))? {
        let blob = blob?.metadata()?;
        if largest
            .as_ref()
            .is_none_or(|other| other.len() < blob.len())
        {
            largest = Some(blob);
        }
    }
    let blob = largest.context("the store has blobs")?;
    let seconds = u64::try_from(blob.ctime())?;
    let nanoseconds = u32::try_from(blob.ctime_nsec())?;
    Ok(UNIX_EPOCH + Duration::new(seconds, nanoseconds))
}
