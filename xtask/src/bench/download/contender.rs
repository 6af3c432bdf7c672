//! Who is measured, and how each is run: alone, into a fresh folder, with nothing of the caller's environment.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Result, ensure};

use super::{hive, measure::Measured, origin::Origin, peers};
use crate::{
    packages,
    programs::{self, Profile},
    python_client,
};

/// Programs that are measured or needed, and the Debian packages that have them.
const NEEDED: [(&str, &str); 4] = [
    ("nginx", "nginx"),
    ("aria2c", "aria2"),
    ("curl", "curl"),
    ("openssl", "openssl"),
];

/// A way to download.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Contender {
    Hive,
    Curl,
    CurlThenOpenssl,
    Aria2,
    Aria2Checked,
    Hf,
}

/// The programs that are measured and are not on the `PATH`.
pub(super) struct Programs {
    pub(super) hive: PathBuf,
    pub(super) keeper: PathBuf,
    pub(super) hf: PathBuf,
}

impl Programs {
    /// Builds ours, unless they are in `folder`, and installs those of others that are missing.
    pub(super) fn find(folder: Option<&Path>) -> Result<Self> {
        packages::install_missing(&NEEDED)?;
        let hf = python_client::install_client()?;
        let (hive, keeper) = if let Some(folder) = folder {
            (folder.join("hive"), folder.join("keeper"))
        } else {
            let built = programs::Programs::build(Profile::Release)?;
            (built.hive(), built.keeper())
        };
        Ok(Self { hive, keeper, hf })
    }
}

impl Contender {
    /// As the tables name it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Hive => "hive and keeper, verified",
            Self::Curl => "curl",
            Self::CurlThenOpenssl => "curl, then openssl dgst -sha256",
            Self::Aria2 => "aria2c -x16 -s16",
            Self::Aria2Checked => "aria2c -x16 -s16 --checksum",
            Self::Hf => "hf download",
        }
    }

    /// Downloads everything once.
    pub(super) async fn run(self, programs: &Programs, origin: &Origin) -> Result<Measured> {
        let fresh = origin.fresh_folder()?;
        let folder = fresh.path();
        let measured = match self {
            Self::Hive => hive::download(programs, origin, folder).await?,
            Self::Curl => peers::curl(origin, folder).await?,
            Self::CurlThenOpenssl => {
                peers::curl(origin, folder).await? + peers::openssl(origin, folder).await?
            }
            Self::Aria2 => peers::aria2(origin, folder, false).await?,
            Self::Aria2Checked => peers::aria2(origin, folder, true).await?,
            Self::Hf => peers::hf(programs, origin, folder).await?,
        };
        let received = bytes_in(folder)?;
        ensure!(
            received >= origin.bytes,
            "{} has left {received} of {} bytes",
            self.name(),
            origin.bytes
        );
        Ok(measured)
    }
}

/// The sum of the sizes of the files of a folder; links are not followed.
fn bytes_in(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        if metadata.is_dir() {
            bytes += bytes_in(&entry.path())?;
        } else if metadata.is_file() {
            bytes += metadata.len();
        }
    }
    Ok(bytes)
}
