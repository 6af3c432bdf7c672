//! `keeper job logs`: prints what happened to jobs, and goes on with what happens if that is wanted.

mod line;

use std::collections::BTreeSet;

use futures_util::{
    Stream, StreamExt,
    stream::{self, BoxStream, SelectAll},
};
use hive_api::Event;

use self::line::line_of;
use super::{by_hive, trackers};
use crate::{
    app::App,
    exit_code::{self, Ending},
    failure::Failure,
    job_reference::JobAt,
    signals::{Signal, Signals},
    track::{Start, Tracked},
    ui::{Tone, screens},
};

/// Something about the job with this place among the named ones.
type Tracks = BoxStream<'static, (usize, Tracked)>;

pub(in crate::commands) async fn run(
    app: &App,
    names: &[String],
    follow: bool,
) -> Result<Ending, Failure> {
    let mut signals = Signals::listen()?;
    let jobs = app.find_jobs(names).await?;
    let tracks = open(app, &jobs, follow).await?;
    let mut logs = Logs {
        app,
        ended: vec![false; jobs.len()],
        jobs,
        told: BTreeSet::new(),
        codes: Vec::new(),
    };
    let interrupted = tokio::select! {
        // A signal is never kept waiting by a stream that always has something.
        biased;
        signal = signals.next() => Some(signal),
        () = logs.print(tracks) => None,
    };
    Ok(match interrupted {
        Some(signal) => logs.leave(signal),
        None => Ending::Code(exit_code::worst(logs.codes)),
    })
}

/// The logs from their beginnings: one after the other, or all at once where they are followed to their ends.
async fn open(app: &App, jobs: &[JobAt], follow: bool) -> Result<Tracks, Failure> {
    let mut tracks = Vec::with_capacity(jobs.len());
    let trackers = trackers(app, jobs);
    for (index, (JobAt { hive, job }, tracker)) in jobs.iter().zip(trackers).enumerate() {
        let start = hive.client.log_start(job.job_id).await;
        let start = start.map_err(|error| Failure::of_client(hive, &error))?;
        if start > 0 {
            let (short, on) = (job.job_id.short(), hive.on());
            let line = format!(
                "The log of {short}{on} was long: what came before event {} is not kept",
                start + 1
            );
            app.printer.story_in(Tone::Warning, &line);
        }
        let track = tracker.track(Start::Replay(job.job_id, start));
        let track = if follow {
            track
        } else {
            logged_so_far(track).boxed()
        };
        tracks.push(track.map(move |tracked| (index, tracked)).boxed());
    }
    Ok(if follow {
        tracks.into_iter().collect::<SelectAll<_>>().boxed()
    } else {
        stream::iter(tracks).flatten().boxed()
    })
}

/// A track until the last event that was logged when it began.
fn logged_so_far(
    track: impl Stream<Item = Tracked> + Unpin + Send,
) -> impl Stream<Item = Tracked> + Send {
    let begin = (track, None, false);
    stream::unfold(begin, |(mut track, mut last, is_over)| async move {
        if is_over {
            return None;
        }
        let tracked = track.next().await?;
        let is_over = match &tracked {
            Tracked::Event { id, event } => {
                if let Event::Snapshot(snapshot) = event {
                    last.get_or_insert(snapshot.job.sequence);
                }
                last.is_some_and(|last| *id >= last)
            }
            _ => false,
        };
        Some((tracked, (track, last, is_over)))
    })
}

/// The logs that are printed.
struct Logs<'a> {
    app: &'a App,
    jobs: Vec<JobAt>,
    ended: Vec<bool>,
    /// What was said of each hive since its last connection.
    told: BTreeSet<(String, &'static str)>,
    codes: Vec<u8>,
}

impl Logs<'_> {
    /// Prints to the ends of the tracks, or until nobody reads any more.
    async fn print(&mut self, mut tracks: Tracks) {
        while let Some((index, tracked)) = tracks.next().await {
            self.take(index, tracked);
            if self.app.printer.out_is_closed() {
                return;
            }
        }
    }

    fn take(&mut self, index: usize, tracked: Tracked) {
        match tracked {
            Tracked::Event { id, event } => self.event(index, id, &event),
            Tracked::Lost { .. } => self.say_once(index, "connection lost, trying again"),
            Tracked::HiveStopped => self.say_once(index, "the hive was stopped, trying again"),
            Tracked::HiveDied => self.say_once(index, "the hive has died, trying again"),
            Tracked::HiveStartedAgain(times) => {
                self.say(index, &screens::started_again(times));
            }
            Tracked::Reconnected(_) => {
                let name = &self.jobs[index].hive.name;
                self.told.retain(|(hive, _)| hive != name);
                self.say(index, "connected again");
            }
            Tracked::Failed(failure) => {
                let name = self.app.name_in_fleet(&self.jobs[index].hive);
                failure.tell_of(&self.app.printer, name);
                self.ended[index] = true;
                self.codes.push(failure.exit);
            }
            Tracked::Accepted(_) => {}
        }
    }

    fn event(&mut self, index: usize, id: u64, event: &Event) {
        match event {
            Event::Snapshot(snapshot) => {
                if snapshot.resumed == Some(false) {
                    self.say(index, "some events of the log are not kept any more");
                }
                self.jobs[index].job = snapshot.job.clone();
                return;
            }
            Event::Progress(_) | Event::Heartbeat(_) => return,
            Event::State(change) => self.jobs[index].job.state = change.state.clone(),
            Event::Succeeded(job) | Event::Failed(job) | Event::Cancelled(job) => {
                self.jobs[index].job = (**job).clone();
                self.ended[index] = true;
            }
            Event::Phase(_) | Event::Log(_) | Event::Unknown { .. } => {}
        }
        let is_many = self.jobs.len() > 1;
        let JobAt { hive, job } = &self.jobs[index];
        let name = self.app.name_in_fleet(hive);
        let printer = &self.app.printer;
        if printer.settings().is_json() {
            printer.event(id, event, is_many.then_some(job.job_id), name);
        } else if let Some(line) = line_of(event) {
            let which = is_many.then(|| job.job_id.short());
            let name = name.map(str::to_owned);
            let parts: Vec<String> = name.into_iter().chain(which).chain([line]).collect();
            printer.data(&parts.join("  "));
        }
    }

    /// Says what stays true at every further try.
    fn say_once(&mut self, index: usize, line: &'static str) {
        let name = self.jobs[index].hive.name.clone();
        if self.told.insert((name, line)) {
            self.say(index, line);
        }
    }

    fn say(&self, index: usize, line: &str) {
        let line = format!("{}: {line}", self.jobs[index].hive.name);
        self.app.printer.story_in(Tone::Warning, &line);
    }

    /// Whoever only looks leaves the jobs as they are, and says so.
    fn leave(&self, signal: Signal) -> Ending {
        let jobs = self.jobs.iter().zip(&self.ended);
        let unended = jobs.filter(|(at, ended)| !**ended && !at.job.state.has_ended());
        let unended: Vec<JobAt> = unended.map(|(at, _)| at.clone()).collect();
        for (hive, jobs) in by_hive(&unended) {
            for line in screens::left(hive, &jobs) {
                self.app.printer.must_know(Tone::Plain, &line);
            }
        }
        Ending::Signal(signal.number())
    }
}
