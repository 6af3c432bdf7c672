//! Watching a job: a snapshot at once, then its committed log in order, with live figures in between.
//!
//! A watcher pulls. It reads from the job's recent events in memory or, if it has fallen behind, from the database,
//! at its own pace; the job never waits for it and never drops an event for it. Progress is latest-wins.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use hive_api::{Event, Snapshot};
use tokio::{
    sync::watch,
    time::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until},
};

use crate::{RegistryError, change::Logged, live::LiveJob, registry::Shared};

/// The shortest time between two `progress` frames of a watch.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(250);
/// Events that are read from the database at once.
const CHUNK: u32 = 256;

/// The number of the last logged event that a reader has, as it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastEventId(Option<u64>);

impl LastEventId {
    /// Takes a `Last-Event-ID` header's text; one that is not a number in ASCII digits is kept as not understood, so
    /// that the reader is told that it was not resumed.
    pub fn parse(text: &str) -> Self {
        let text = text.trim();
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        Self(text.parse().ok().filter(|_| digits))
    }
}

/// What there is to watch.
#[derive(Debug)]
pub enum WatchStart {
    /// Events to come.
    Follow(Box<JobWatch>),
    /// The job has ended and the reader has its last event.
    AtEnd,
}

/// One frame of a watch.
#[derive(Clone, Debug, PartialEq)]
pub struct Watched {
    /// The number of the last logged event delivered on this watch, this one included.
    pub id: u64,
    /// What happened.
    pub event: Event,
}

/// One reader's way through a job's events.
#[derive(Debug)]
pub struct JobWatch {
    shared: Arc<Shared>,
    live: Arc<LiveJob>,
    first: Option<Snapshot>,
    delivered: u64,
    pending: VecDeque<Arc<Logged>>,
    ended: bool,
    sequence: watch::Receiver<u64>,
    progress_version: watch::Receiver<u64>,
    next_progress_at: Instant,
    heartbeat: Interval,
}

/// What a watch that has delivered everything waits for.
enum Woken {
    Logged,
    Progress,
    Heartbeat,
    Stopped,
}

impl JobWatch {
    pub(crate) async fn start(
        shared: Arc<Shared>,
        live: Arc<LiveJob>,
        last_event_id: Option<LastEventId>,
    ) -> Result<WatchStart, RegistryError> {
        let sequence = live.sequence();
        let progress_version = live.progress_version();
        let job = shared.present(&live);
        let ended = job.state.has_ended();
        let resumed_at = match last_event_id {
            Some(LastEventId(Some(last))) if last <= job.sequence => {
                let all_here = live.recent_after(last).is_some()
                    || shared
                        .database
                        .has_all(job.job_id, last, job.sequence)
                        .await?;
                all_here.then_some(last)
            }
            Some(LastEventId(_)) | None => None,
        };
        if ended && resumed_at == Some(job.sequence) {
            return Ok(WatchStart::AtEnd);
        }
        // The last event of an ended job has not been delivered on this watch, although the snapshot tells of it.
        let fresh = if ended {
            job.sequence - 1
        } else {
            job.sequence
        };
        let resumed = (last_event_id.is_some() && resumed_at.is_none()).then_some(false);
        let period = shared.settings.heartbeat.max(Duration::from_millis(1));
        let mut heartbeat = interval_at(Instant::now() + period, period);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(WatchStart::Follow(Box::new(Self {
            first: Some(Snapshot { job, resumed }),
            delivered: resumed_at.unwrap_or(fresh),
            pending: VecDeque::new(),
            ended: false,
            next_progress_at: Instant::now(),
            shared,
            live,
            sequence,
            progress_version,
            heartbeat,
        })))
    }

    /// The next frame. `None` after the last event; before it, `None` says that the registry is shut down or that
    /// the log cannot be read on, and the reader may come again with the id it has.
    ///
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Watched> {
        if let Some(snapshot) = self.first.take() {
            return Some(self.frame(Event::Snapshot(Box::new(snapshot))));
        }
        loop {
            if self.ended {
                return None;
            }
            if let Some(logged) = self.pending.pop_front() {
                return self.deliver(&logged);
            }
            if *self.sequence.borrow_and_update() > self.delivered {
                self.fetch().await?;
                continue;
            }
            match self.woken().await {
                Woken::Logged => {}
                Woken::Progress => {
                    self.next_progress_at = Instant::now() + PROGRESS_INTERVAL;
                    let progress = self.live.job().progress;
                    return Some(self.frame(Event::Progress(Box::new(progress))));
                }
                Woken::Heartbeat => {
                    return Some(self.frame(Event::Heartbeat(self.live.heartbeat())));
                }
                Woken::Stopped => return None,
            }
        }
    }

    async fn woken(&mut self) -> Woken {
        let progress_version = &mut self.progress_version;
        let next_progress_at = self.next_progress_at;
        let progress = async move {
            sleep_until(next_progress_at).await;
            progress_version.changed().await
        };
        tokio::select! {
            biased;
            _ = self.sequence.changed() => Woken::Logged,
            _ = self.heartbeat.tick() => Woken::Heartbeat,
            _ = progress => Woken::Progress,
            () = self.shared.stopped.cancelled() => Woken::Stopped,
        }
    }

    /// Delivers the next entry of the log; `None` if entries before it were dropped meanwhile.
    fn deliver(&mut self, logged: &Logged) -> Option<Watched> {
        if logged.sequence != self.delivered + 1 {
            return None;
        }
        self.delivered = logged.sequence;
        self.ended = logged.event.last().is_some();
        Some(self.frame(logged.event.clone()))
    }

    async fn fetch(&mut self) -> Option<()> {
        if let Some(recent) = self.live.recent_after(self.delivered) {
            self.pending = recent.into();
            return Some(());
        }
        let id = self.live.id();
        match self
            .shared
            .database
            .events_after(id, self.delivered, CHUNK)
            .await
        {
            Ok(events) if events.is_empty() => None,
            Ok(events) => {
                self.pending = events.into_iter().map(Arc::new).collect();
                Some(())
            }
            Err(error) => {
                tracing::error!(
                    job.id = %id,
                    error = &error as &dyn std::error::Error,
                    "the log of a watched job cannot be read"
                );
                None
            }
        }
    }

    const fn frame(&self, event: Event) -> Watched {
        Watched {
            id: self.delivered,
            event,
        }
    }
}
