//! What a registry says of itself to those who watch over the hive.

use super::{JobCount, JobRegistry};
use crate::RegistryError;

impl JobRegistry {
    /// How many stored jobs of each kind are in each state, ended ones included; pairs without a job are left out.
    pub async fn count_jobs(&self) -> Result<Vec<JobCount>, RegistryError> {
        self.shared.database.count_jobs().await
    }

    /// Whether changes of jobs can be recorded now.
    pub async fn check_writable(&self) -> Result<(), RegistryError> {
        self.shared.database.check_writable().await
    }
}
