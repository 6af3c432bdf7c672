//! When ended jobs are looked through for those that are kept no longer: at the start, when some have ended, and once
//! an hour while there are any that will age. A hive without ended jobs is not woken for it.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use crate::{RegistryError, RegistrySettings, database::Left, scheduler::Scheduler};

/// The longest time between two looks while there are ended jobs.
const LOOK_EVERY: Duration = Duration::from_hours(1);
/// The time between two steps, in which others have their turn.
const STEP_PAUSE: Duration = Duration::from_millis(50);
/// Jobs that end before the next look at most.
const MOST_UNSEEN: u32 = 64;

/// When the next look is due.
#[derive(Debug)]
pub(super) struct Retention {
    unseen: u32,
    look_at: Option<Instant>,
}

impl Retention {
    /// The first look is at the start: time has passed since the last one of an earlier hive.
    pub(super) fn new() -> Self {
        Self {
            unseen: 0,
            look_at: Some(Instant::now()),
        }
    }

    /// When to look.
    pub(super) const fn look_at(&self) -> Option<Instant> {
        self.look_at
    }

    /// A job has ended.
    pub(super) fn job_ended(&mut self, settings: &RegistrySettings) {
        self.unseen += 1;
        let now = Instant::now();
        if self.unseen >= (settings.keep_jobs / 100).clamp(1, MOST_UNSEEN) {
            self.look_at = Some(now);
        } else {
            self.look_at.get_or_insert(now + LOOK_EVERY);
        }
    }
}

impl Scheduler {
    /// Drops some of the jobs that are kept no longer, and settles when to look again.
    pub(super) async fn drop_ended_jobs(&mut self) {
        let looked = self.drop_step().await;
        let next_look = looked.unwrap_or_else(|error| {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "jobs that are kept no longer could not be dropped"
            );
            Some(LOOK_EVERY)
        });
        self.retention.look_at = next_look.map(|wait| Instant::now() + wait);
    }

    async fn drop_step(&mut self) -> Result<Option<Duration>, RegistryError> {
        let settings = &self.shared.settings;
        let keep_for = SignedDuration::try_from(settings.keep_jobs_for);
        let keep_for = keep_for.unwrap_or(SignedDuration::MAX);
        let before = self.now().saturating_sub(keep_for);
        let before = before.unwrap_or(Timestamp::MIN);
        let database = &self.shared.database;
        let left = database.drop_ended(settings.keep_jobs, before).await?;
        self.retention.unseen = 0;
        Ok(match left {
            Left { surplus: 1.., .. } => Some(STEP_PAUSE),
            Left { ended: 1.., .. } => Some(LOOK_EVERY),
            Left { .. } => None,
        })
    }
}
