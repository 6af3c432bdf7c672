//! One download by hive, asked for by keeper.

use std::path::Path;

use anyhow::Result;

use super::{
    contender::Programs,
    measure::{self, Measured},
    origin::Origin,
};
use crate::bench::{
    hive::{Hive, ours},
    process,
};

/// From the start of keeper to its end. The hive runs before; CPU is that of both, memory that of the hive above idle.
pub(super) async fn download(
    programs: &Programs,
    origin: &Origin,
    folder: &Path,
) -> Result<Measured> {
    let hive = Hive::start(&programs.hive, origin.endpoint(), folder).await?;
    let idle_bytes = process::memory_bytes(hive.pid)?;
    let idle_cpu = process::cpu_time(hive.pid)?;
    let mut keeper = ours(&programs.keeper, origin.endpoint(), folder);
    keeper
        .args(["model", "download", origin.model, "--all-files", "--quiet"])
        .env("KEEPER_NO_AUTOSTART", "1");
    let measured = measure::run(keeper, Some(hive.pid)).await?;
    let cpu = measured.cpu + process::cpu_time(hive.pid)?.saturating_sub(idle_cpu);
    hive.stop().await?;
    Ok(Measured {
        cpu,
        peak_memory_bytes: measured.peak_memory_bytes.saturating_sub(idle_bytes),
        ..measured
    })
}
