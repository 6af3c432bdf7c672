//! A provisioner with its store, and a caller that listens and says yes.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use fake_hub::{Content, FakeHub, Repository};
use model_provisioner::{
    DownloadRequest, HubLimits, HubSettings, HubSetupError, HubToken, ModelReference,
    ProvisionError, ProvisionEvent, Provisioner, ProvisionerSettings, Proxies, PublishedModel,
    RateLimiter, TransferLimits,
};
use model_store::ModelStore;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use url::Url;

/// The longest that anything here may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

pub(crate) struct Machine {
    pub(crate) provisioner: Provisioner,
    pub(crate) store: PathBuf,
    folder: Arc<TempDir>,
}

/// What a caller was told and how it ended.
pub(crate) struct Outcome {
    pub(crate) result: Result<PublishedModel, ProvisionError>,
    /// What a download that ended early leaves for the next.
    pub(crate) bytes_kept: u64,
    /// Everything but the question whether to publish.
    pub(crate) told: Vec<ProvisionEvent>,
    /// How often it was asked whether to publish.
    pub(crate) asked: usize,
}

impl Machine {
    pub(crate) fn new(hub: &FakeHub) -> Self {
        Self::with_token(hub, None)
    }

    pub(crate) fn with_token(hub: &FakeHub, token: Option<&str>) -> Self {
        Self::with_limits(hub, token, limits())
    }

    pub(crate) fn with_limits(hub: &FakeHub, token: Option<&str>, limits: HubLimits) -> Self {
        Self::with_settings(HubSettings {
            token: token.map(|token| HubToken::new(token.to_owned(), "a test")),
            limits,
            ..settings(hub.endpoint())
        })
    }

    pub(crate) fn with_settings(hub: HubSettings) -> Self {
        Self::with_rate_limit(hub, RateLimiter::new(None))
    }

    /// One on which the downloads together are limited.
    pub(crate) fn with_rate_limit(hub: HubSettings, rate_limit: RateLimiter) -> Self {
        let folder = TempDir::new().unwrap();
        let store = folder.path().join("hub");
        Self {
            provisioner: provisioner(&store, hub, rate_limit),
            store,
            folder: Arc::new(folder),
        }
    }

    /// The same store, seen by a hive that has other settings.
    pub(crate) fn restarted(self, hub: HubSettings) -> Self {
        Self {
            provisioner: provisioner(&self.store, hub, RateLimiter::new(None)),
            ..self
        }
    }

    /// Another hive that has the same store at the same time.
    pub(crate) fn beside(&self, hub: HubSettings) -> Self {
        Self {
            provisioner: provisioner(&self.store, hub, RateLimiter::new(None)),
            store: self.store.clone(),
            folder: Arc::clone(&self.folder),
        }
    }

    /// Downloads and says yes to publishing.
    pub(crate) async fn download(&self, model: &str) -> Outcome {
        self.run(&request(model), &CancellationToken::new(), true)
            .await
    }

    pub(crate) async fn run(
        &self,
        request: &DownloadRequest,
        cancellation: &CancellationToken,
        agrees: bool,
    ) -> Outcome {
        self.run_and_hear(request, cancellation, agrees, |_| ())
            .await
    }

    /// The same for a test that acts on what it hears.
    pub(crate) async fn run_and_hear(
        &self,
        request: &DownloadRequest,
        cancellation: &CancellationToken,
        agrees: bool,
        mut hear: impl FnMut(&ProvisionEvent),
    ) -> Outcome {
        let (sender, mut events) = mpsc::channel(8);
        let listening = async {
            let (mut told, mut asked) = (Vec::new(), 0);
            while let Some(event) = events.recv().await {
                hear(&event);
                match event {
                    ProvisionEvent::ReadyToPublish(yes) => {
                        asked += 1;
                        if agrees {
                            yes.send(()).unwrap();
                        }
                    }
                    other => told.push(other),
                }
            }
            (told, asked)
        };
        let working = self.provisioner.download(request, sender, cancellation);
        let both = async { tokio::join!(working, listening) };
        let (result, (told, asked)) = tokio::time::timeout(LIMIT, both).await.unwrap();
        let bytes_kept = result
            .as_ref()
            .map_or_else(|early| early.bytes_kept.unwrap_or_default(), |_| 0);
        Outcome {
            result: result.map_err(|early| early.reason),
            bytes_kept,
            told,
            asked,
        }
    }

    /// Every path below the store, sorted; the lock files of other clients aside.
    pub(crate) fn paths(&self) -> Vec<String> {
        let mut found = Vec::new();
        walk(&self.store, &self.store, &mut found);
        found.sort();
        found
    }

    /// The files below a repository's `snapshots` and `refs`: what is published.
    pub(crate) fn published(&self) -> Vec<String> {
        let published = |path: &String| path.contains("/snapshots/") || path.contains("/refs/");
        self.paths().into_iter().filter(published).collect()
    }
}

impl Outcome {
    pub(crate) fn failure(self) -> ProvisionError {
        self.result.unwrap_err()
    }

    /// The events that a test looks at, in words.
    pub(crate) fn story(&self) -> Vec<String> {
        self.told
            .iter()
            .filter_map(|event| match event {
                ProvisionEvent::Phase(phase) => Some(format!("{phase:?}")),
                ProvisionEvent::Planned(plan) => Some(format!("planned {:?}", plan.bytes_total)),
                ProvisionEvent::FileStarted { path, .. } => Some(format!("started {path}")),
                ProvisionEvent::FileVerified {
                    path,
                    bytes_received,
                    ..
                } => Some(format!("verified {path} {bytes_received}")),
                ProvisionEvent::Retry(retry) => Some(format!("retry {:?}", retry.cause)),
                ProvisionEvent::Notice(notice) => Some(format!("{notice:?}")),
                ProvisionEvent::Progress(_) | ProvisionEvent::ReadyToPublish(_) => None,
            })
            .collect()
    }
}

fn provisioner(store: &Path, hub: HubSettings, rate_limit: RateLimiter) -> Provisioner {
    try_provisioner(store, hub, rate_limit).unwrap()
}

/// What is said of settings that cannot work.
pub(crate) fn setup_error(hub: HubSettings) -> String {
    let folder = TempDir::new().unwrap();
    match try_provisioner(folder.path(), hub, RateLimiter::new(None)) {
        Ok(_) => panic!("these settings work"),
        Err(error) => error.to_string(),
    }
}

fn try_provisioner(
    store: &Path,
    hub: HubSettings,
    rate_limit: RateLimiter,
) -> Result<Provisioner, HubSetupError> {
    let settings = ProvisionerSettings {
        transfer: TransferLimits {
            backoff_base: Duration::from_millis(5),
            network_patience: hub.limits.network_patience,
            ..TransferLimits::default()
        },
        hub,
        parallel_files: 4,
        connections: 16,
        rate_limit,
    };
    Provisioner::new(settings, ModelStore::new(store))
}

/// A Hub without an account and without anything on the way.
pub(crate) fn settings(endpoint: &str) -> HubSettings {
    HubSettings {
        endpoint: Url::parse(endpoint).unwrap(),
        token: None,
        user_agent: "hive/test".to_owned(),
        proxies: Proxies::default(),
        ca_file: None,
        is_offline: false,
        limits: limits(),
    }
}

/// Patient in what a slow machine may need, quick in what a test waits for.
pub(crate) fn limits() -> HubLimits {
    HubLimits {
        backoff_base: Duration::from_millis(5),
        ..HubLimits::default()
    }
}

pub(crate) fn request(model: &str) -> DownloadRequest {
    DownloadRequest {
        model: ModelReference::parse(model, None).unwrap(),
        include: Vec::new(),
        exclude: Vec::new(),
        all_files: false,
        force_download: false,
        rate_limit: RateLimiter::new(None),
    }
}

/// A repository with one quantisation of a few hundred kilobytes.
pub(crate) fn tiny() -> Repository {
    Repository::model("org/tiny")
        .file("README.md", "a model")
        .file("config.json", "{}")
        .large_file("tiny-Q4_K_M.gguf", Content::gguf("tiny", 300_000))
}

fn walk(root: &Path, folder: &Path, found: &mut Vec<String>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        let relative = path
            .strip_prefix(root)
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        if relative.starts_with(".locks") {
            continue;
        }
        if path.is_dir() && !path.is_symlink() {
            walk(root, &path, found);
        } else {
            found.push(relative);
        }
    }
}
