//! One running hive: started part by part, drained on the way out.

mod idle;
mod pulse;

use std::{io, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use downloader::Limits;
use hive_api::StateFolder;
use jiff::Timestamp;
use job_registry::{JobRegistry, OpenError, RegistrySettings, WriteObserver};
use model_provisioner::{HubSetupError, Provisioner, ProvisionerSettings, RateLimiter};
use model_store::ModelStore;
pub(crate) use pulse::Pulse;
use secrecy::SecretString;
use tokio::{
    sync::Semaphore,
    task::spawn_blocking,
    time::{Instant, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    access::Access,
    config::Config,
    exit_code::Failure,
    facts::Facts,
    http::{
        self, accept::Connections, app::App, auth::Doorkeeper, host::AllowedHosts, seats::Seats,
    },
    hub_login::{HubLogin, given_token},
    listen::{Listeners, SocketFile},
    metrics::Metrics,
    operations::{Operations, model_download::ModelDownloads},
    state_folder::OwnedStateFolder,
    store::Store,
    tls::{Tls, TlsError},
};

/// How long the work of jobs may take to end when the hive stops.
const WORK_DRAIN_TIMEOUT: Duration = Duration::from_secs(20);

/// Files of one download that are fetched at the same time.
const PARALLEL_FILES: usize = 16;

/// Why a part of the hive did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database cannot be used.
    #[error(transparent)]
    Database(#[from] OpenError),
    /// The Hub's token that this hive was given cannot be read.
    #[error("cannot read {}: remove it, and log in again with keeper hive login", path.display())]
    HubToken {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The clients for the Hub cannot be made.
    #[error(transparent)]
    Hub(#[from] HubSetupError),
}

/// A hive that serves.
pub struct Hive {
    app: Arc<App>,
    connections: Connections,
    socket: SocketFile,
    /// Given back last, when nothing of this hive runs any more.
    state: OwnedStateFolder,
}

impl Hive {
    /// Opens the doors, then the database, then answers: a client that comes early waits and is not refused.
    pub async fn start(
        mut config: Config,
        state: OwnedStateFolder,
        local_token: &SecretString,
    ) -> Result<Self, Failure> {
        let access = Access::open(state.names())?;
        let machine = machine_name();
        let tls = tls(&config, &state, &machine)?;
        let listeners = Listeners::bind(&state, &config.listen)?;
        let environment = config.hub.settings.token.clone();
        prefer_given_token(&mut config, state.names())?;
        let facts = Facts {
            listen: listeners.addresses(),
            tls: tls.clone(),
            ..facts(&config, state.names(), &machine)
        };
        let store = ModelStore::new(&config.store);
        let metrics = Metrics::new();
        let operations = operations(&config, &store, &machine, &metrics)?;
        let downloads = Arc::clone(&operations.model_downloads);
        let hub_login = HubLogin::new(state.names(), environment, downloads);
        let registry = RegistrySettings {
            left_bytes: operations.left_bytes(),
            ..registry_settings(&config, state.names(), &metrics)
        };
        let registry = JobRegistry::open(registry, operations.runner())
            .await
            .map_err(StartError::Database)?;
        let drain = CancellationToken::new();
        let app = Arc::new(App {
            registry,
            operations,
            store: Store::new(store),
            facts,
            hub_login,
            state: state.names().clone(),
            doorkeeper: Doorkeeper::new(
                local_token,
                Arc::clone(&access.tokens),
                config.connections.free_failures,
            ),
            access,
            hosts: AllowedHosts::new(&machine, &config.allow_hosts, tls.clone()),
            limits: config.connections,
            seats: Seats::new(&config.connections),
            connections: TaskTracker::new(),
            changes: TaskTracker::new(),
            metrics,
            doctor: Semaphore::new(1),
            drain: drain.clone(),
        });
        let router = http::router(Arc::clone(&app));
        let Listeners { socket, unix, tcp } = listeners;
        let open = app.connections.clone();
        let served = (router, tls);
        let connections = Connections::serve(unix, tcp, served, config.connections, open, drain);
        app.facts.log();
        let keeper = Arc::clone(&app);
        app.changes.spawn(async move {
            let uses = keeper.access.keep_uses();
            keeper.drain.run_until_cancelled(uses).await;
        });
        Ok(Self {
            app,
            connections,
            socket,
            state,
        })
    }

    /// The TCP addresses it listens on.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.app.facts.listen
    }

    /// What tells whether it still does its work.
    pub(crate) fn pulse(&self) -> Pulse {
        Pulse(Arc::clone(&self.app))
    }

    /// Reads again what may have changed: the certificate.
    pub async fn reload(&self) {
        let Some(tls) = self.app.facts.tls.clone() else {
            tracing::info!("there is nothing to read again");
            return;
        };
        if let Err(error) = spawn_blocking(move || tls.reload()).await {
            tracing::error!(%error, "the certificate was not read again");
        }
    }

    /// Returns when there was neither work nor a connection for this long.
    pub async fn idle_for(&self, quiet: Duration) {
        idle::idle_for(&self.app.registry, &self.connections, quiet).await;
    }

    /// Ends everything in order: no new connections, streams closed, requests answered, work stopped where it can
    /// go on at the next start, and the state folder given back.
    pub async fn shut_down(self) {
        self.app.drain.cancel();
        drop(self.socket);
        let registry = &self.app.registry;
        let work = async {
            if timeout(WORK_DRAIN_TIMEOUT, registry.shut_down())
                .await
                .is_err()
            {
                tracing::error!("work of jobs does not end, leaving it");
            }
        };
        tokio::join!(self.connections.finish(), work);
        self.app.changes.close();
        self.app.changes.wait().await;
        self.app.access.close().await;
        tracing::info!(
            hive.uptime_s = self.app.facts.started.elapsed().as_secs(),
            "stopped"
        );
        drop(self.state);
    }
}

/// What a hive of this configuration would work with, where none runs: nothing is opened, sent or written.
pub(crate) fn unattended(
    mut config: Config,
    state: &StateFolder,
) -> Result<(Facts, Arc<ModelDownloads>), StartError> {
    prefer_given_token(&mut config, state)?;
    let machine = machine_name();
    let store = ModelStore::new(&config.store);
    let operations = operations(&config, &store, &machine, &Metrics::new())?;
    Ok((facts(&config, state, &machine), operations.model_downloads))
}

/// The Hub's token that someone gave this hive counts before that of the environment.
fn prefer_given_token(config: &mut Config, state: &StateFolder) -> Result<(), StartError> {
    let given = given_token(state).map_err(|source| StartError::HubToken {
        path: state.hub_token(),
        source,
    })?;
    if let Some(given) = given {
        config.hub.settings.token = Some(given);
    }
    Ok(())
}

fn tls(
    config: &Config,
    state: &OwnedStateFolder,
    machine: &str,
) -> Result<Option<Arc<Tls>>, TlsError> {
    let Some(tls) = &config.tls else {
        return Ok(None);
    };
    if config.listen.is_empty() {
        tracing::warn!("TLS is for TCP addresses, and there are none: add `--listen`");
    }
    let addresses: Vec<_> = config.listen.iter().map(SocketAddr::ip).collect();
    let tls = Tls::open(tls, state.names(), machine, &addresses)?;
    Ok(Some(Arc::new(tls)))
}

fn registry_settings(config: &Config, state: &StateFolder, metrics: &Metrics) -> RegistrySettings {
    let metrics = metrics.clone();
    RegistrySettings {
        max_running: config.max_jobs as usize,
        max_unfinished: config.unfinished_jobs,
        keep_jobs: config.keep_jobs,
        keep_jobs_for: config.keep_jobs_for,
        on_write: WriteObserver::new(move |took| metrics.database_write(took)),
        ..RegistrySettings::new(state.database())
    }
}

fn operations(
    config: &Config,
    store: &ModelStore,
    machine: &str,
    metrics: &Metrics,
) -> Result<Operations, StartError> {
    let connections = config.download_connections as usize;
    let rate_limit = RateLimiter::new(config.rate_limit.bytes_per_second());
    let settings = ProvisionerSettings {
        hub: config.hub.settings.clone(),
        transfer: Limits {
            // A file that is alone may use all that there are.
            connections,
            network_patience: config.hub.settings.limits.network_patience,
            ..Limits::default()
        },
        parallel_files: PARALLEL_FILES,
        connections,
        rate_limit: rate_limit.clone(),
    };
    let model_downloads = ModelDownloads {
        provisioner: Provisioner::new(settings, store.clone())?,
        hub: config.hub.settings.endpoint.clone(),
        machine: machine.to_owned(),
        rate_limit,
        metrics: metrics.clone(),
    };
    Ok(Operations {
        model_downloads: Arc::new(model_downloads),
    })
}

fn facts(config: &Config, state: &StateFolder, machine: &str) -> Facts {
    let token = config.hub.settings.token.as_ref();
    Facts {
        machine: machine.to_owned(),
        state_path: state.path().to_owned(),
        store_path: config.store.clone(),
        hub_endpoint: config.hub.shown_endpoint(),
        hub_token_source: token.map(|token| token.source().to_owned()),
        proxy: config.hub.proxy.clone(),
        ca_file: config.hub.ca_file.clone(),
        listen: Vec::new(),
        tls: None,
        connections: config.download_connections,
        rate_limit: config.rate_limit,
        started: Instant::now(),
        started_at: Timestamp::now(),
    }
}

/// The machine's own name.
fn machine_name() -> String {
    rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned()
}
