//! One job's way: submitted once, then followed to its last event, over a hive that may die meanwhile.

use std::{mem, sync::Arc, time::Duration};

use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use hive_api::{Event, Job, JobId, SubmitJob};
use hive_client::{ClientError, Followed, FollowedStream, IdempotencyKey};
use uuid::Uuid;

use crate::{
    app::App,
    failure::Failure,
    fleet::{Arrival, Member},
    hives::Hive,
    revival::{Found, Revival},
};

/// Times that a submission is sent anew after a look at a hive that did not answer it.
const SUBMISSIONS_MAX: u32 = 5;

/// How a job's way begins.
pub(crate) enum Start {
    /// It has to be submitted.
    Submit(Box<SubmitJob>),
    /// It is there, and is followed from now on.
    Existing(Box<Job>),
    /// It is there, and is followed from the logged event after this number on.
    Replay(JobId, u64),
}

/// Something on a job's way.
#[derive(Debug)]
pub(crate) enum Tracked {
    /// It is on the hive.
    Accepted(Box<Job>),
    /// A frame of its stream.
    Event {
        /// The number of the last logged event delivered with or before this frame.
        id: u64,
        /// The frame.
        event: Event,
    },
    /// Its stream is gone, or could not be connected again.
    Lost {
        /// Whether this machine has no hive any more.
        hive_is_gone: bool,
    },
    /// Its stream is back, after this time.
    Reconnected(Duration),
    /// The hive was stopped; its jobs go on when it runs again.
    HiveStopped,
    /// The hive died, and keeper may not start it.
    HiveDied,
    /// The hive had died and was started again, for the so manyth time.
    HiveStartedAgain(u32),
    /// It was not accepted, or cannot be followed any further.
    Failed(Failure),
}

/// Follows jobs of one hive, and looks after that hive where keeper can start it.
#[derive(Clone)]
pub(crate) struct Tracker {
    hive: Hive,
    revival: Arc<Revival>,
    /// Until the hive is there, where that is not awaited before.
    arrival: Option<Arrival>,
}

impl Tracker {
    /// For the jobs of this hive.
    pub(crate) fn new(app: &App, hive: &Hive) -> Self {
        Self {
            hive: hive.clone(),
            revival: Arc::new(Revival::of(hive, app.variable)),
            arrival: None,
        }
    }

    /// For the jobs of one of several hives, which may be on the way.
    pub(crate) fn of_member(app: &App, member: &Member) -> Self {
        Self {
            arrival: Some(member.arrival.clone()),
            ..Self::new(app, &member.hive)
        }
    }

    /// The hive.
    pub(crate) const fn hive(&self) -> &Hive {
        &self.hive
    }

    /// Whether the way to the hive is still being made, so that nothing was sent to it.
    pub(crate) fn is_arriving(&self) -> bool {
        let arrival = self.arrival.as_ref();
        arrival.is_some_and(|arrival| arrival.peek().is_none())
    }

    /// A job's way, to its last event or to a failure.
    pub(crate) fn track(&self, start: Start) -> BoxStream<'static, Tracked> {
        let step = match start {
            Start::Submit(job) => Step::Arrive(Submission {
                job,
                key: IdempotencyKey::new(Uuid::new_v4()),
                sent: 0,
            }),
            Start::Existing(job) => Step::Accept(job),
            Start::Replay(id, after) => Step::Follow(self.hive.client.follow_after(id, after)),
        };
        let track = Track {
            tracker: self.clone(),
            step,
        };
        stream::unfold(track, |mut track| async move {
            let tracked = track.next().await?;
            Some((tracked, track))
        })
        .boxed()
    }
}

struct Track {
    tracker: Tracker,
    step: Step,
}

/// What comes next on the way.
enum Step {
    /// The hive is not there yet.
    Arrive(Submission),
    Submit(Submission),
    Accept(Box<Job>),
    Follow(FollowedStream),
    /// Nobody listens where the hive was: a look at it comes before the next connection.
    LookAfterHive(FollowedStream),
    Over,
}

/// A job that is not on the hive, as far as is known.
struct Submission {
    job: Box<SubmitJob>,
    /// The same for every time it is sent: a hive that had it answers with the job that it made.
    key: IdempotencyKey,
    sent: u32,
}

impl Track {
    async fn next(&mut self) -> Option<Tracked> {
        loop {
            match mem::replace(&mut self.step, Step::Over) {
                Step::Arrive(submission) => {
                    if let Some(arrival) = self.tracker.arrival.clone()
                        && let Err(failure) = arrival.await
                    {
                        return Some(Tracked::Failed(failure));
                    }
                    self.step = Step::Submit(submission);
                }
                Step::Submit(submission) => {
                    if let Some(tracked) = self.submit(submission).await {
                        return Some(tracked);
                    }
                }
                Step::Accept(job) => return Some(self.accepted(job)),
                Step::Follow(stream) => return self.follow(stream).await,
                Step::LookAfterHive(stream) => {
                    let found = self.tracker.revival.look().await;
                    if let Some(Found::GivenUp(failure)) = found {
                        return Some(Tracked::Failed(failure));
                    }
                    self.step = Step::Follow(stream);
                    match found {
                        Some(Found::Stopped) => return Some(Tracked::HiveStopped),
                        Some(Found::Died) => return Some(Tracked::HiveDied),
                        Some(Found::StartedAgain(times)) => {
                            return Some(Tracked::HiveStartedAgain(times));
                        }
                        Some(Found::Running | Found::GivenUp(_)) | None => {}
                    }
                }
                Step::Over => return None,
            }
        }
    }

    /// Sends it; `None` where it is to be sent again. A hive that died in between may have the job: the key finds it.
    async fn submit(&mut self, mut submission: Submission) -> Option<Tracked> {
        let hive = &self.tracker.hive;
        let error = match hive.client.submit(&submission.job, submission.key).await {
            Ok(job) => return Some(self.accepted(Box::new(job))),
            Err(error) => error,
        };
        let failed = Tracked::Failed(Failure::of_client(hive, &error));
        submission.sent += 1;
        let is_unanswered = matches!(
            error,
            ClientError::Unreachable { .. } | ClientError::AnswerLost { .. }
        );
        if !is_unanswered || submission.sent == SUBMISSIONS_MAX {
            return Some(failed);
        }
        match self.tracker.revival.look().await {
            Some(Found::StartedAgain(times)) => {
                self.step = Step::Submit(submission);
                Some(Tracked::HiveStartedAgain(times))
            }
            Some(Found::Running) => {
                self.step = Step::Submit(submission);
                None
            }
            Some(Found::GivenUp(failure)) => Some(Tracked::Failed(failure)),
            Some(Found::Stopped | Found::Died) | None => Some(failed),
        }
    }

    fn accepted(&mut self, job: Box<Job>) -> Tracked {
        self.step = Step::Follow(self.tracker.hive.client.follow(job.job_id));
        Tracked::Accepted(job)
    }

    async fn follow(&mut self, mut stream: FollowedStream) -> Option<Tracked> {
        let followed = match stream.next().await? {
            Ok(followed) => followed,
            Err(error) => {
                return Some(Tracked::Failed(Failure::of_client(
                    &self.tracker.hive,
                    &error,
                )));
            }
        };
        let tracked = match followed {
            Followed::Event { id, event } => Tracked::Event { id, event },
            Followed::Reconnected { after } => Tracked::Reconnected(after),
            Followed::ConnectionLost { reason, .. } => {
                tracing::debug!(reason = %reason, "the event stream was lost");
                if self.tracker.revival.may_help(&reason) {
                    self.step = Step::LookAfterHive(stream);
                } else {
                    self.step = Step::Follow(stream);
                }
                let hive_is_gone = self.tracker.revival.is_gone();
                return Some(Tracked::Lost { hive_is_gone });
            }
        };
        self.step = Step::Follow(stream);
        Some(tracked)
    }
}
