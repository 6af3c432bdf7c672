//! What the routes work with.

use std::sync::Arc;

use hive_api::{Job, JobState, StateFolder};
use job_registry::{JobFilter, JobRegistry, ListError, RegistryError};
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{auth::Doorkeeper, host::AllowedHosts, seats::Seats};
use crate::{
    access::Access, config::ConnectionLimits, facts::Facts, hub_login::HubLogin, metrics::Metrics,
    operations::Operations, store::Store,
};

/// The states in which a job may be writing to the store.
const AT_WORK: [JobState; 3] = [JobState::Running, JobState::Pausing, JobState::Cancelling];

/// One hive, as its routes see it.
pub(crate) struct App {
    pub(crate) registry: JobRegistry,
    pub(crate) operations: Operations,
    pub(crate) store: Store,
    pub(crate) facts: Facts,
    pub(crate) hub_login: HubLogin,
    pub(crate) state: StateFolder,
    pub(crate) access: Access,
    pub(crate) doorkeeper: Doorkeeper,
    pub(crate) hosts: AllowedHosts,
    pub(crate) limits: ConnectionLimits,
    /// One seat an event stream.
    pub(crate) seats: Arc<Seats>,
    /// The open connections, one task each.
    pub(crate) connections: TaskTracker,
    /// Changes that are under way, each with its line in the audit log: they outlive their requests.
    pub(crate) changes: TaskTracker,
    pub(crate) metrics: Metrics,
    /// The one look at itself at a time.
    pub(crate) doctor: Semaphore,
    /// Fires when the hive begins to stop: streams end, waits answer.
    pub(crate) drain: CancellationToken,
}

impl App {
    /// The jobs that may be writing to the store now.
    pub(super) async fn jobs_at_work(&self) -> Result<Vec<Job>, RegistryError> {
        let mut jobs = Vec::new();
        for state in AT_WORK {
            let filter = JobFilter {
                state: Some(state),
                limit: u32::MAX,
                ..JobFilter::default()
            };
            match self.registry.list(&filter).await {
                Ok(list) => jobs.extend(list.jobs),
                Err(ListError::Registry(error)) => return Err(error),
                // No cursor was given.
                Err(ListError::InvalidCursor) => {}
            }
        }
        Ok(jobs)
    }
}
