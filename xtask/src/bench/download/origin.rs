//! What everyone downloads from: a fake Hub for clients of the Hub, and URLs for clients of none.

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use anyhow::Result;
use fake_hub::{Content, FakeHub, Fault, Repository, Requests};
use tempfile::TempDir;

use super::{nginx::Nginx, setting::Sizes};
use crate::programs::root;

const MODEL: &str = "acme/Bench-GGUF";
const SERVED: &str = "Bench-Q4_K_M.gguf";
const MEMORY_FILES: &str = "/dev/shm";
const RESPONSE_DELAY: Duration = Duration::from_millis(200);
const WRITE_STEP: u64 = 4 * 1024 * 1024;

/// The servers of one setting. They end, and their files go away, when this is dropped.
pub(super) struct Origin {
    pub(super) model: &'static str,
    pub(super) files: Vec<RemoteFile>,
    /// The sum of the sizes of the files.
    pub(super) bytes: u64,
    hub: FakeHub,
    nginx: Option<Nginx>,
    /// Where the folders of this setting are made.
    parent: PathBuf,
    _folder: TempDir,
}

/// A file as a client that knows no Hub is told of it.
pub(super) struct RemoteFile {
    pub(super) url: String,
    pub(super) path: String,
    pub(super) sha256: Option<String>,
}

impl Origin {
    /// One generated file in memory, served by nginx.
    pub(super) async fn large_file(size_bytes: u64, bytes_per_second: Option<u64>) -> Result<Self> {
        let content = Content::gguf("Bench", size_bytes);
        let parent = PathBuf::from(MEMORY_FILES);
        Self::one_file(parent, content, write_warm, bytes_per_second).await
    }

    /// One file of nothing but a hole, on the disk of this checkout, served by nginx.
    pub(super) async fn sparse_file(size_bytes: u64) -> Result<Self> {
        let content = Content::zeros(size_bytes);
        let sparse = |path: &Path, content: &Content| -> Result<()> {
            Ok(File::create_new(path)?.set_len(content.size_bytes())?)
        };
        Self::one_file(root().join("target"), content, sparse, None).await
    }

    async fn one_file(
        parent: PathBuf,
        content: Content,
        write: fn(&Path, &Content) -> Result<()>,
        bytes_per_second: Option<u64>,
    ) -> Result<Self> {
        let folder = TempDir::with_prefix_in("bench-origin-", &parent)?;
        let bytes = content.size_bytes();
        let served = folder.path().join(SERVED);
        let repository = tokio::task::spawn_blocking(move || {
            write(&served, &content)?;
            anyhow::Ok(Repository::model(MODEL).large_file(SERVED, content))
        })
        .await??;
        let nginx = Nginx::start(folder.path(), SERVED, bytes_per_second).await?;
        let file = RemoteFile {
            url: format!("{}/{SERVED}", nginx.origin()),
            path: SERVED.to_owned(),
            sha256: repository.etag(SERVED).map(str::to_owned),
        };
        let hub = FakeHub::builder()
            .repository(repository)
            .cdn_endpoint(&nginx.origin())
            .try_start()
            .await?;
        Ok(Self {
            model: MODEL,
            files: vec![file],
            bytes,
            hub,
            nginx: Some(nginx),
            parent,
            _folder: folder,
        })
    }

    /// Small files and shards, all from the fake Hub and its CDN, each response late. nginx cannot delay a response.
    pub(super) async fn many_files(sizes: Sizes) -> Result<Self> {
        let repository = tokio::task::spawn_blocking(move || many(sizes)).await?;
        let hub = FakeHub::builder()
            .repository(repository.clone())
            .try_start()
            .await?;
        let url = |path| format!("{}/{}/resolve/main/{path}", hub.endpoint(), repository.id());
        let files = repository
            .paths()
            .map(|path| RemoteFile {
                url: url(path),
                path: path.to_owned(),
                sha256: None,
            })
            .collect();
        let bytes = repository
            .paths()
            .filter_map(|path| repository.content(path))
            .map(Content::size_bytes)
            .sum();
        hub.on(Requests::any()).answer(Fault::Delay(RESPONSE_DELAY));
        let parent = PathBuf::from(MEMORY_FILES);
        Ok(Self {
            model: MODEL,
            files,
            bytes,
            hub,
            nginx: None,
            _folder: TempDir::with_prefix_in("bench-origin-", &parent)?,
            parent,
        })
    }

    /// What `HF_ENDPOINT` is to be.
    pub(super) fn endpoint(&self) -> &str {
        self.hub.endpoint()
    }

    /// When the last byte was handed over; `None` where nobody writes that down.
    pub(super) fn last_byte_at(&self) -> Result<Option<SystemTime>> {
        self.nginx.as_ref().map(Nginx::last_byte_at).transpose()
    }

    /// A fresh folder for one download.
    pub(super) fn fresh_folder(&self) -> Result<TempDir> {
        Ok(TempDir::with_prefix_in("bench-download-", &self.parent)?)
    }
}

fn many(sizes: Sizes) -> Repository {
    let small = (0..sizes.small_files).fold(Repository::model(MODEL), |repository, number| {
        // From 1 KiB to some 75 KiB, as tokenizers, configurations and notes are.
        let size_bytes = 1024 + u64::from(number) * 250;
        let content = Content::generated(u64::from(number), size_bytes);
        repository.file(&format!("small/{number:03}.json"), content)
    });
    let count = sizes.shards;
    (1..=count).fold(small, |repository, number| {
        let path = format!("model-{number:05}-of-{count:05}.safetensors");
        let content = Content::safetensors(&format!("weight.{number}"), sizes.shard_bytes);
        repository.large_file(&path, content)
    })
}

/// Memory that a virtual machine has never used is slow once: the first one measured must not pay for it.
fn write_warm(path: &Path, content: &Content) -> Result<()> {
    write(path, content)?;
    let second = path.with_extension("second");
    write(&second, content)?;
    Ok(fs::remove_file(second)?)
}

fn write(path: &Path, content: &Content) -> Result<()> {
    let mut file = File::create_new(path)?;
    let mut offset = 0;
    while offset < content.size_bytes() {
        file.write_all(&content.read(offset..offset + WRITE_STEP))?;
        offset += WRITE_STEP;
    }
    Ok(())
}
