//! When a hive has nothing to do: no unfinished job but paused ones, and nobody connected.

use std::time::Duration;

use job_registry::JobRegistry;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::http::accept::Connections;

/// How often it looks.
const LOOK_EVERY: Duration = Duration::from_millis(500);

pub(super) async fn idle_for(registry: &JobRegistry, connections: &Connections, quiet: Duration) {
    let mut looks = interval(LOOK_EVERY.min(quiet.max(Duration::from_millis(1))));
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut quiet_since = Instant::now();
    let mut taken = connections.taken();
    loop {
        looks.tick().await;
        let counts = registry.counts();
        // A connection that came and went between two looks counts too.
        let was_taken = std::mem::replace(&mut taken, connections.taken());
        let busy =
            counts.queued + counts.running > 0 || connections.open() > 0 || was_taken != taken;
        if busy {
            quiet_since = Instant::now();
        } else if quiet_since.elapsed() >= quiet {
            return;
        }
    }
}
