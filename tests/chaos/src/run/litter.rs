//! What another program left where a partial belongs: nothing that could be gone on with, and not ours to spoil.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};

use crate::inspection::{Inspection, folder_name};
use crate::model::MAIN;
use crate::plan::{Litter, Plan};

/// A file outside of the store that must stay as it is.
pub(super) struct Outside(PathBuf);

const WORDS: &str = "not a model";

impl Outside {
    pub(super) fn assert_untouched(&self) -> Result<()> {
        let words = fs::read_to_string(&self.0)?;
        ensure!(words == WORDS, "a file outside of the store was written to");
        Ok(())
    }
}

/// Leaves the plan's litter in the way of the first file.
pub(super) fn drop_in(plan: &Plan, folder: &Path, inspection: &mut Inspection) -> Result<Outside> {
    let outside = folder.join("outside");
    fs::write(&outside, WORDS)?;
    let Some(litter) = plan.litter else {
        return Ok(Outside(outside));
    };
    let main = &plan.models.main;
    let path = main.paths().next().context("a repository has files")?;
    let etag = main.etag(path).context("a file has a hash")?;
    let relative = Path::new(&folder_name(MAIN)).join("blobs");
    let blobs = folder.join("hub").join(&relative);
    fs::create_dir_all(&blobs)?;
    let partial = format!("{etag}.hive-partial");
    let record = format!("{partial}.json");
    let names = match litter {
        Litter::Bytes => {
            fs::write(blobs.join(&partial), vec![7; 70_000])?;
            vec![partial]
        }
        Litter::BytesAndRecord => {
            fs::write(blobs.join(&partial), vec![7; 70_000])?;
            fs::write(
                blobs.join(&record),
                "{\"version\":1,\"segments\":[[0,70000]]}\n",
            )?;
            vec![partial, record]
        }
        Litter::RecordAlone => {
            fs::write(blobs.join(&record), "{\"version\":1}\n")?;
            vec![record]
        }
        Litter::Link => {
            symlink(&outside, blobs.join(&partial))?;
            vec![partial]
        }
    };
    let names = names.into_iter().map(|name| relative.join(name));
    inspection.littered(etag, names);
    Ok(Outside(outside))
}
