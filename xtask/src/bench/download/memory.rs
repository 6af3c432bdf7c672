//! How much memory a download takes whatever its size. One run: it is a peak that is asked for.

use anyhow::Result;

use super::{
    contender::{Contender, Programs},
    setting::{Setting, Sizes},
    table::{gibibytes, mebibytes},
};
use crate::bench::figures::verdict;

const BAR_BYTES: u64 = 64 * 1024 * 1024;

/// Downloads a huge file and gives the table.
pub(super) async fn measure(programs: &Programs, sizes: Sizes) -> Result<String> {
    let origin = Setting::Memory.origin(sizes).await?;
    let measured = Contender::Hive.run(programs, &origin).await?;
    let peak_bytes = measured.peak_memory_bytes;
    Ok(format!(
        "{} from a sparse file to disk, once; RssAnon of hive above idle, seen every 10 ms.\n\n\
         | Peak | Bar | Wall | CPU per GiB |\n|---|---|---|---|\n| {} | ≤ {}{} | {:.1} s | {:.2} s |",
        gibibytes(origin.bytes),
        mebibytes(peak_bytes),
        mebibytes(BAR_BYTES),
        verdict(peak_bytes <= BAR_BYTES),
        measured.wall.as_secs_f64(),
        measured.cpu_per_gib(origin.bytes),
    ))
}
