//! Putting in order, before anything runs, what an earlier hive left unfinished.

use std::sync::Arc;

use hive_api::Job;

use crate::{
    RegistryError,
    change::{self, Change},
    live::LiveJob,
    registry::Shared,
    scheduler::story::tell,
    transition::{Standing, Transition, Trigger, transition},
};

/// Applies the restart to every unfinished job in one transaction, and takes them all into memory.
pub(crate) async fn recover(shared: &Shared) -> Result<(), RegistryError> {
    let now = shared.settings.wall_clock.now();
    let unfinished = shared.database.unfinished().await?;
    let jobs: Vec<(u64, Job, Option<Change>)> = unfinished
        .into_iter()
        .map(|(number, job)| {
            let change = match transition(Standing::of(&job), Trigger::HiveRestarted) {
                Transition::To(state) => Some(change::moved(&job, state, None, now)),
                Transition::Stay | Transition::Publish | Transition::Refuse => None,
            };
            (number, job, change)
        })
        .collect();
    let changes = jobs
        .iter()
        .filter_map(|(_, job, change)| Some((job, change.as_ref()?)));
    shared.database.commit_all(changes).await?;
    for (number, job, change) in jobs {
        let live = LiveJob::new(number, job, shared.settings.wall_clock.clone());
        if let Some(change) = change {
            tell(&change);
            live.publish(change);
        }
        if !live.job().state.has_ended() {
            shared.live.insert(Arc::new(live));
        }
    }
    Ok(())
}
