//! Whether a hive that runs still does its work, asked of the parts that do it.

use std::sync::Arc;

use job_registry::RegistryError;

use crate::http::app::App;

/// Asks a hive how it is.
#[derive(Clone)]
pub(crate) struct Pulse(pub(super) Arc<App>);

impl Pulse {
    /// Returns when the scheduler of the jobs and their database have each answered, which a limit must be set to. A
    /// database that refuses has answered: to start again would not help it. An error is a scheduler that is gone.
    pub(crate) async fn answer(&self) -> Result<(), RegistryError> {
        self.0.registry.check_scheduler().await?;
        if let Err(error) = self.0.registry.check_writable().await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the job database takes no writes"
            );
        }
        Ok(())
    }

    /// One line for who asks how the service does.
    pub(crate) fn status(&self) -> String {
        let facts = &self.0.facts;
        let tcp = facts.listen.iter().map(|address| format!(", {address}"));
        let counts = self.0.registry.counts();
        format!(
            "Serving on {}{}: {} running, {} queued, {} paused",
            facts.state_path.join("hive.sock").display(),
            tcp.collect::<String>(),
            counts.running,
            counts.queued,
            counts.paused
        )
    }
}
