//! Follow, Ctrl+C: jobs followed together to their last events, with signals as inputs to one loop.
//!
//! Decisions are made by [`Course`], which knows no clock, no terminal and no network; this loop carries them out.

mod course;
mod keys;
mod shown;
mod story;

use std::{collections::VecDeque, time::Duration};

use futures_util::{
    FutureExt, StreamExt,
    future::{BoxFuture, join_all},
    stream::{BoxStream, FuturesUnordered, SelectAll},
};
use hive_api::{Job, JobId};
use hive_client::{CancelJob, ClientError};
use tokio::{
    sync::oneshot,
    time::{Instant, Interval, MissedTickBehavior},
};

pub(crate) use self::course::Role;
use self::{
    course::{Course, Decision, End, Input, Leaving, Outcome},
    keys::Keys,
    shown::Shown,
    story::Story,
};
use crate::{
    app::App,
    exit_code::Ending,
    failure::Failure,
    foreground::{Change, Foreground},
    signals::{Signal, Signals},
    track::{Start, Tracked, Tracker},
    ui::Figures,
};

/// How long a cancelled job may take to its last event before keeper leaves.
const CANCEL_LIMIT: Duration = Duration::from_secs(5);
/// How long a cancel may take to reach its hive when keeper is told to leave.
const HURRY_LIMIT: Duration = Duration::from_millis(250);
/// How often the places of queued jobs are asked for: no event tells that those before them have gone.
const LOOK_AT_QUEUE_EVERY: Duration = Duration::from_secs(5);
/// How often figures that change by themselves are drawn anew.
const TICK: Duration = Duration::from_secs(1);

/// One job to follow.
pub(crate) struct Watched {
    /// The way to it, the same for all jobs of its hive.
    pub(crate) tracker: Tracker,
    /// What it is, in a person's words.
    pub(crate) what: String,
    /// Whether it is there or has to be submitted.
    pub(crate) start: Start,
}

/// What the loop waits for.
enum Next {
    Tracked(usize, Tracked),
    CancelFailed(usize, ClientError),
    Signal(Signal),
    LeaveKey,
    Deadline,
    Tick,
    Queue(Vec<Job>),
}

/// The look at the jobs that wait for a slot.
struct Queue {
    next_look: Instant,
    /// The jobs as they are; one that cannot be had is left out.
    answer: Option<BoxFuture<'static, Vec<Job>>>,
}

/// Jobs that are followed together.
struct Watch<'a> {
    app: &'a App,
    course: Course,
    story: Story,
    trackers: Vec<Tracker>,
    /// Dropped, they end the tracks of their jobs.
    stops: Vec<Option<oneshot::Sender<()>>>,
    tracks: SelectAll<BoxStream<'static, (usize, Tracked)>>,
    cancels: FuturesUnordered<BoxFuture<'static, (usize, Result<Job, ClientError>)>>,
    deadline: Option<Instant>,
    signals: Signals,
    keys: Keys,
    foreground: Foreground,
    tick: Interval,
    queue: Queue,
    /// When the first cancel was asked for.
    cancelled_at: Option<Instant>,
}

/// Follows the jobs to their ends, or until a person or a signal says otherwise.
pub(crate) async fn watch(app: &App, role: Role, jobs: Vec<Watched>) -> Result<Ending, Failure> {
    let signals = Signals::listen()?;
    let keys = Keys::listen(app.printer.settings().figures == Figures::Bars);
    let shown = jobs
        .iter()
        .map(|job| Shown::new(job.tracker.hive(), &job.what, Instant::now()))
        .collect();
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut watch = Watch {
        app,
        course: Course::new(role, jobs.len()),
        story: Story::new(
            app.printer.clone(),
            app.means_fleet(),
            shown,
            keys.hint(role),
        ),
        trackers: Vec::new(),
        stops: Vec::new(),
        tracks: SelectAll::new(),
        cancels: FuturesUnordered::new(),
        deadline: None,
        signals,
        keys,
        foreground: Foreground::watch(),
        tick,
        queue: Queue {
            next_look: Instant::now() + LOOK_AT_QUEUE_EVERY,
            answer: None,
        },
        cancelled_at: None,
    };
    for (index, job) in jobs.into_iter().enumerate() {
        let (stop, stopped) = oneshot::channel::<()>();
        let track = job.tracker.track(job.start).take_until(stopped);
        watch
            .tracks
            .push(track.map(move |item| (index, item)).boxed());
        watch.trackers.push(job.tracker);
        watch.stops.push(Some(stop));
    }
    Ok(watch.run().await)
}

impl Watch<'_> {
    async fn run(mut self) -> Ending {
        loop {
            let next = self.next().await;
            self.look_at_terminal();
            let inputs = match next {
                Next::Tracked(index, tracked) => self.take(index, tracked),
                Next::CancelFailed(index, error) => {
                    self.story.cancel_failed(index, &error);
                    None
                }
                Next::Signal(signal) => Some(Input::Signal(signal)),
                Next::LeaveKey => Some(Input::LeaveKey),
                Next::Deadline => Some(Input::Deadline),
                Next::Tick => {
                    self.story.tick(Instant::now());
                    self.look_at_queue();
                    None
                }
                Next::Queue(jobs) => {
                    self.story.places(&jobs);
                    None
                }
            };
            let mut inputs: VecDeque<Input> = inputs.into_iter().collect();
            while let Some(input) = inputs.pop_front() {
                match self.course.handle(input) {
                    Decision::GoOn => {}
                    Decision::Cancel(jobs, signal) => {
                        self.cancel(jobs, signal);
                        inputs.extend(self.never_submitted());
                    }
                    Decision::Hurry => self.deadline = Some(Instant::now() + HURRY_LIMIT),
                    Decision::Leave(leaving) => return self.leave(leaving),
                    Decision::Finish(outcome) => return self.finish(outcome),
                }
            }
        }
    }

    /// Ends the jobs whose hives are still on the way: they have nothing to cancel, and get nothing any more.
    fn never_submitted(&mut self) -> Vec<Input> {
        let stops = self.stops.iter_mut().zip(&self.trackers).enumerate();
        let unsent = stops.filter(|(_, (_, tracker))| tracker.is_arriving());
        let stopped = unsent.filter_map(|(index, (stop, _))| stop.take().map(|_| index));
        let stopped: Vec<usize> = stopped.collect();
        for index in &stopped {
            self.story.never_submitted(*index);
        }
        let ended = |index| Input::Ended(index, End::Cancelled);
        stopped.into_iter().map(ended).collect()
    }

    async fn next(&mut self) -> Next {
        loop {
            let deadline = self.deadline;
            let until_deadline = async move {
                match deadline {
                    Some(deadline) => tokio::time::sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            return tokio::select! {
                // A signal is never kept waiting by a stream that always has something.
                biased;
                signal = self.signals.next() => Next::Signal(signal),
                () = self.keys.leave_pressed() => Next::LeaveKey,
                () = until_deadline => {
                    self.deadline = None;
                    Next::Deadline
                }
                _ = self.tick.tick() => Next::Tick,
                jobs = self.queue.answered() => Next::Queue(jobs),
                Some((index, cancelled)) = self.cancels.next() => match cancelled {
                    Ok(_) => continue,
                    Err(error) => Next::CancelFailed(index, error),
                },
                Some((index, tracked)) = self.tracks.next() => Next::Tracked(index, tracked),
            };
        }
    }

    /// Tells what happened to a job, and gives the loop what it has to decide on.
    fn take(&mut self, index: usize, tracked: Tracked) -> Option<Input> {
        match tracked {
            Tracked::Accepted(job) => {
                let id = job.job_id;
                if self.course.submits() {
                    self.app.remember(self.trackers[index].hive(), id);
                }
                self.story.accepted(index, *job, self.course.submits());
                Some(Input::Accepted(index, id))
            }
            Tracked::Failed(failure) => {
                let end = End::Refused(failure.exit);
                self.story.refused(index, failure);
                Some(Input::Ended(index, end))
            }
            Tracked::Event { id, event } => {
                let since_cancel = self.cancelled_at.map(|at| at.elapsed());
                self.story
                    .event(index, id, &event, since_cancel, Instant::now());
                End::of(&event).map(|end| Input::Ended(index, end))
            }
            Tracked::Lost { hive_is_gone } => {
                self.story.lost(index, hive_is_gone, Instant::now());
                None
            }
            Tracked::Reconnected(after) => {
                self.story.reconnected(index, after);
                None
            }
            Tracked::HiveStopped => {
                self.story.hive_is_gone(index, "was stopped");
                None
            }
            Tracked::HiveDied => {
                self.story.hive_is_gone(
                    index,
                    "has died, and KEEPER_NO_AUTOSTART forbids to start it",
                );
                None
            }
            Tracked::HiveStartedAgain(times) => {
                self.story.hive_started_again(index, times);
                None
            }
        }
    }

    /// Before anything is drawn or said.
    fn look_at_terminal(&mut self) {
        match self.foreground.look() {
            Some(Change::Lost) => self.app.printer.draw_bars(false),
            Some(Change::TakenUp) => {
                self.app.printer.draw_bars(true);
                self.keys.take_up();
            }
            None => {}
        }
    }

    fn look_at_queue(&mut self) {
        let waiting = self.story.queued();
        if waiting.is_empty() || Instant::now() < self.queue.next_look {
            return;
        }
        self.queue.next_look = Instant::now() + LOOK_AT_QUEUE_EVERY;
        let asked = waiting.into_iter().map(|(index, id)| {
            let client = self.trackers[index].hive().client.clone();
            async move { client.job(id).await.ok() }
        });
        let asked = join_all(asked.collect::<Vec<_>>());
        let look = asked.map(|jobs| jobs.into_iter().flatten().collect());
        self.queue.answer = Some(look.boxed());
    }

    fn cancel(&mut self, jobs: VecDeque<JobId>, signal: Signal) {
        self.cancelled_at.get_or_insert_with(Instant::now);
        self.story.cancelling(&jobs, signal);
        if !jobs.is_empty() && !self.course.is_hurried() {
            self.deadline = Some(Instant::now() + CANCEL_LIMIT);
        }
        for id in jobs {
            let index = self.course.index_of(id).unwrap_or(0);
            let client = self.trackers[index].hive().client.clone();
            let cancel = async move { (index, cancel_until_told(&client, id).await) };
            self.cancels.push(cancel.boxed());
        }
    }

    fn leave(mut self, leaving: Leaving) -> Ending {
        self.story.leaving(leaving, &self.course.unended());
        leaving.ending()
    }

    fn finish(mut self, outcome: Outcome) -> Ending {
        self.story.finished(outcome);
        outcome.ending()
    }
}

impl Queue {
    /// Waits for the answer, for ever where none is asked for.
    async fn answered(&mut self) -> Vec<Job> {
        match &mut self.answer {
            Some(answer) => {
                let jobs = answer.await;
                self.answer = None;
                jobs
            }
            None => std::future::pending().await,
        }
    }
}

/// Sends the DELETE until the hive has it, which may just be starting again: it is repeatable, and the deadline of the
/// loop bounds it.
async fn cancel_until_told(
    client: &hive_client::HiveClient,
    id: JobId,
) -> Result<Job, ClientError> {
    loop {
        match client.cancel(id, CancelJob::default()).await {
            Err(error) if error.is_unanswered() => {
                tracing::debug!(error = %error, "a cancel was not answered, sending it again");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            answer => return answer,
        }
    }
}
