//! What a registry says of itself to those who watch over the hive.

use tokio::sync::oneshot;

use super::{JobCount, JobRegistry};
use crate::{RegistryError, scheduler::Request};

impl JobRegistry {
    /// How many stored jobs of each kind are in each state, ended ones included; pairs without a job are left out.
    pub async fn count_jobs(&self) -> Result<Vec<JobCount>, RegistryError> {
        self.shared.database.count_jobs().await
    }

    /// Returns when the scheduler has taken its turn to answer; who asks sets a limit.
    pub async fn check_scheduler(&self) -> Result<(), RegistryError> {
        let (reply, answer) = oneshot::channel();
        self.send(Request::Answer { reply }).await?;
        answer.await.map_err(|_| RegistryError::ShutDown)
    }

    /// Whether changes of jobs can be recorded now.
    pub async fn check_writable(&self) -> Result<(), RegistryError> {
        self.shared.database.check_writable().await
    }
}
