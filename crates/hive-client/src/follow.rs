//! Following a job to its last event over connections that come and go.
//!
//! Each connection is one eventsource-client stream without its own reconnect: that one hides refused connections,
//! repeats a 404 for ever and knows no last event. Reconnecting is done here, where the position, the silence of the
//! hive and the end of the job are known.

mod backoff;
mod connection;
mod stream_check;
mod transport;

use std::{fmt, pin::Pin, time::Duration};

use futures_util::{Stream, stream};
use hive_api::{Event, Job, JobId, JobState, Open, paths};
pub use stream_check::StreamCheck;
use tokio::time::Instant;

use self::{
    backoff::Backoff,
    connection::{Connection, Received, Stop},
};
use crate::{ClientError, HiveClient, answer};

/// Unreadable frames in a row, none of them getting further, after which what answers is no hive.
const GARBAGE_MAX: u32 = 5;

/// What following a job yields.
#[derive(Debug)]
pub enum Followed {
    /// A frame of the stream.
    Event {
        /// The number of the last logged event delivered with or before this frame.
        id: u64,
        /// The frame.
        event: Event,
    },
    /// The connection is gone; the job goes on. Said once a failed connection, so again when the next one fails.
    ConnectionLost {
        /// How it ended.
        reason: ConnectionLoss,
        /// The wait before the next try.
        retry_in: Duration,
    },
    /// Events come again, from where they ended.
    Reconnected {
        /// The time since the first [`Followed::ConnectionLost`].
        after: Duration,
    },
}

/// How a connection of an event stream ended before the job did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectionLoss {
    /// The hive closed it, or it broke.
    Closed,
    /// No event came for three heartbeats.
    Silent {
        /// How long nothing came.
        after: Duration,
    },
    /// Nobody listens there: the connection was refused, or the unix socket is gone.
    Refused,
    /// No connection could be made for another reason, or it broke with an error.
    Failed {
        /// The error with its causes.
        detail: String,
    },
    /// It answered with a status that may pass.
    Status {
        /// The HTTP status.
        status: u16,
    },
    /// Something came that is no frame of a hive.
    Garbage {
        /// What is wrong with it.
        detail: String,
    },
}

impl fmt::Display for ConnectionLoss {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => write!(formatter, "it was closed"),
            Self::Refused => write!(formatter, "nobody listens there"),
            Self::Silent { after } => write!(formatter, "nothing came for {} s", after.as_secs()),
            Self::Failed { detail } => write!(formatter, "{detail}"),
            Self::Status { status } => write!(formatter, "the answer was {status}"),
            Self::Garbage { detail } => write!(formatter, "what came makes no sense: {detail}"),
        }
    }
}

/// A job's events until the last one; an error is the end too, and means that following further is of no use.
pub type FollowedStream = Pin<Box<dyn Stream<Item = Result<Followed, ClientError>> + Send>>;

impl HiveClient {
    /// Follows a job from its snapshot to its last event. Connections that break are made again, each from the last
    /// event on; the stream ends after the last event, or with an error where the hive refuses (4xx) or is none.
    pub fn follow(&self, job_id: JobId) -> FollowedStream {
        Follower::new(self.clone(), job_id, None).into_stream()
    }

    /// Follows a job like [`Self::follow`], from the logged event after this number on: after zero, from its first. A
    /// snapshot with `resumed: false` says that the log does not reach back that far.
    pub fn follow_after(&self, job_id: JobId, last_event_id: u64) -> FollowedStream {
        Follower::new(self.clone(), job_id, Some(last_event_id)).into_stream()
    }
}

/// The position in a job's events, and the connection that they come over.
struct Follower {
    client: HiveClient,
    job_id: JobId,
    last_event_id: Option<u64>,
    /// The silence after which a connection is lost.
    silence: Duration,
    connection: Option<Connection>,
    backoff: Backoff,
    /// The wait before the next connection.
    wait: Option<Duration>,
    lost_since: Option<Instant>,
    garbage_in_a_row: u32,
    /// A frame that waits behind the word that the connection is back.
    held_back: Option<Followed>,
    has_ended: bool,
}

impl Follower {
    fn new(client: HiveClient, job_id: JobId, last_event_id: Option<u64>) -> Self {
        let longest_wait = client.inner.longest_wait;
        Self {
            client,
            job_id,
            last_event_id,
            silence: silence_of(hive_api::HEARTBEAT_SECONDS),
            connection: None,
            backoff: Backoff::new(longest_wait),
            wait: None,
            lost_since: None,
            garbage_in_a_row: 0,
            held_back: None,
            has_ended: false,
        }
    }

    fn into_stream(self) -> FollowedStream {
        Box::pin(stream::unfold(self, |mut follower| async move {
            let item = follower.next().await?;
            Some((item, follower))
        }))
    }

    async fn next(&mut self) -> Option<Result<Followed, ClientError>> {
        if let Some(followed) = self.held_back.take() {
            return Some(Ok(followed));
        }
        if self.has_ended {
            return None;
        }
        let item = match self.receive().await {
            Ok(followed) => Ok(followed),
            Err(Stop::Lost(reason)) => self.lost(reason),
            Err(Stop::Fatal(error)) => Err(*error),
            Err(Stop::NothingMore) => self.ended_before().await,
        };
        self.has_ended |= match &item {
            Ok(Followed::Event { event, .. }) => event.last().is_some(),
            Ok(Followed::ConnectionLost { .. } | Followed::Reconnected { .. }) => false,
            Err(_) => true,
        };
        if self.has_ended {
            self.connection = None;
        }
        let Ok(Followed::Event { .. }) = &item else {
            return Some(item);
        };
        match self.lost_since.take() {
            None => Some(item),
            Some(since) => {
                self.held_back = item.ok();
                let after = since.elapsed();
                Some(Ok(Followed::Reconnected { after }))
            }
        }
    }

    /// The next frame of the connection, which is made first where there is none.
    async fn receive(&mut self) -> Result<Followed, Stop> {
        if let Some(wait) = self.wait.take() {
            tokio::time::sleep(wait).await;
        }
        let connection = match &mut self.connection {
            Some(connection) => connection,
            missing => {
                let path = paths::job_events(self.job_id);
                let opened = Connection::open(&self.client, &path, self.last_event_id)?;
                missing.insert(opened)
            }
        };
        let silence = self.silence;
        let received = tokio::time::timeout(silence, connection.next())
            .await
            .unwrap_or(Err(Stop::Lost(ConnectionLoss::Silent { after: silence })))?;
        Ok(self.accept(received))
    }

    fn accept(&mut self, received: Received) -> Followed {
        let Received {
            id,
            event,
            retry_after,
        } = received;
        if let Some(base) = retry_after {
            self.backoff.set_base(base);
        }
        self.backoff.succeeded();
        let id = id.or(self.last_event_id).unwrap_or(0);
        if self.last_event_id != Some(id) {
            self.garbage_in_a_row = 0;
            self.last_event_id = Some(id);
        }
        if let Event::Snapshot(snapshot) = &event {
            self.silence = silence_of(snapshot.job.heartbeat_seconds);
        }
        Followed::Event { id, event }
    }

    fn lost(&mut self, reason: ConnectionLoss) -> Result<Followed, ClientError> {
        self.connection = None;
        self.lost_since.get_or_insert_with(Instant::now);
        if let ConnectionLoss::Garbage { detail } = &reason {
            self.garbage_in_a_row += 1;
            if self.garbage_in_a_row >= GARBAGE_MAX {
                return Err(answer::protocol(&self.client.inner.hive, detail.clone()));
            }
        }
        let retry_in = self.backoff.failed(jitter());
        self.wait = Some(retry_in);
        Ok(Followed::ConnectionLost { reason, retry_in })
    }

    /// The hive has nothing after our position (204): the job itself tells its end.
    async fn ended_before(&mut self) -> Result<Followed, ClientError> {
        self.connection = None;
        let job = match self.client.job(self.job_id).await {
            Ok(job) => job,
            Err(error) if error.problem().is_some() => return Err(error),
            Err(error) => {
                let detail = error.to_string();
                return self.lost(ConnectionLoss::Failed { detail });
            }
        };
        let id = job.sequence;
        match last_event_of(job) {
            Some(event) => Ok(Followed::Event { id, event }),
            None => self.lost(ConnectionLoss::Status { status: 204 }),
        }
    }
}

/// The last event of a job that has ended.
fn last_event_of(job: Job) -> Option<Event> {
    let Open::Known(state) = job.state else {
        return None;
    };
    let job = Box::new(job);
    match state {
        JobState::Succeeded => Some(Event::Succeeded(job)),
        JobState::Failed => Some(Event::Failed(job)),
        JobState::Cancelled => Some(Event::Cancelled(job)),
        JobState::Queued
        | JobState::Running
        | JobState::Pausing
        | JobState::Paused
        | JobState::Cancelling => None,
    }
}

/// The silence that means a lost connection: three heartbeats, whatever the hive claims within reason.
fn silence_of(heartbeat_seconds: u32) -> Duration {
    Duration::from_secs(u64::from(heartbeat_seconds.clamp(1, 60)) * 3)
}

/// A random share of a wait, from 0 to 1.
fn jitter() -> f64 {
    getrandom::u32().map_or(0.5, |random| f64::from(random) / f64::from(u32::MAX))
}
