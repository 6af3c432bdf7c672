//! What is said while jobs are followed, for each audience.

mod bars;
mod leaving;
mod results;

use std::{
    collections::{BTreeSet, VecDeque},
    time::Duration,
};

use hive_api::{Event, Job, JobId, LogLevel};
use hive_client::ClientError;
use tokio::time::Instant;

use self::bars::Bars;
use super::{
    course::{Leaving, Outcome},
    shown::{Shown, Word},
};
use crate::{
    failure::Failure,
    signals::Signal,
    ui::{Figures, Printer, Tone, format, screens},
};

/// How often a log gets a line of figures in the first minute, and after it.
const LINE_EVERY: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(30));

/// Tells the story of the jobs that are followed.
pub(super) struct Story {
    printer: Printer,
    /// Whether several hives were asked for.
    is_fleet: bool,
    jobs: Vec<Shown>,
    bars: Option<Bars>,
    began: Instant,
    next_line: Instant,
    /// The hives of which it was told that they do not run, since the last connection.
    told_gone: BTreeSet<String>,
}

impl Story {
    pub(super) fn new(
        printer: Printer,
        is_fleet: bool,
        jobs: Vec<Shown>,
        hint: &'static str,
    ) -> Self {
        let has_bars = printer.settings().figures == Figures::Bars;
        let bars = has_bars.then(|| Bars::new(&printer, jobs.len(), hint));
        let began = Instant::now();
        Self {
            printer,
            is_fleet,
            jobs,
            bars,
            began,
            next_line: began + LINE_EVERY.0,
            told_gone: BTreeSet::new(),
        }
    }

    /// The hive has the job.
    pub(super) fn accepted(&mut self, index: usize, job: Job, was_submitted: bool) {
        let (name, short) = (&self.jobs[index].hive.name, job.job_id.short());
        let line = if was_submitted {
            match self.jobs_beside(index) {
                1 => format!("{name}: job {short} accepted"),
                _ => format!("{name}: job {short} accepted: {}", self.jobs[index].what),
            }
        } else {
            let state = job.state.as_str();
            format!("{name}: job {short}, {}, {state}", self.jobs[index].what)
        };
        self.printer.story(&line);
        self.jobs[index].job = Some(job);
    }

    /// The hive does not have the job, or it cannot be followed any further. What is true of several jobs is told once.
    pub(super) fn refused(&mut self, index: usize, failure: Failure) {
        self.jobs[index].has_ended = true;
        self.draw(index);
        let hive = self.jobs[index].hive.name.as_str();
        let is_told = self
            .jobs
            .iter()
            .any(|other| other.hive.name == hive && other.refusal.as_ref() == Some(&failure));
        if !is_told {
            failure.tell_of(&self.printer, self.is_fleet.then_some(hive));
        }
        self.jobs[index].refusal = Some(failure);
    }

    /// A cancel came before its hive was there.
    pub(super) fn never_submitted(&mut self, index: usize) {
        self.jobs[index].has_ended = true;
        self.draw(index);
        self.say_own(index, Tone::Plain, "nothing was submitted");
    }

    /// A job's stream is gone.
    pub(super) fn lost(&mut self, index: usize, hive_is_gone: bool, now: Instant) {
        if self.jobs[index].lost(hive_is_gone, now) {
            let line = if hive_is_gone {
                "connection lost, trying again".to_owned()
            } else {
                let meanwhile = screens::meanwhile(self.jobs[index].job.as_ref());
                format!("connection lost, {meanwhile}, trying again")
            };
            self.say_own(index, Tone::Warning, &line);
        }
        self.draw(index);
    }

    /// A job's stream is back.
    pub(super) fn reconnected(&mut self, index: usize, after: Duration) {
        self.told_gone.remove(&self.jobs[index].hive.name);
        self.jobs[index].reconnected(after);
    }

    /// No hive runs on this machine any more, and it is not started again; told once for all jobs.
    pub(super) fn hive_is_gone(&mut self, index: usize, how: &str) {
        let hive = &self.jobs[index].hive;
        if !self.told_gone.insert(hive.name.clone()) {
            return;
        }
        let theirs = self.jobs.iter().filter(|job| job.hive.name == hive.name);
        let fate = match theirs.filter(|job| !job.has_ended).count() {
            1 => screens::with_the_next_hive(self.jobs[index].job.as_ref()),
            _ => screens::JOBS_WITH_THE_NEXT_HIVE,
        };
        let start = hive.command("hive start");
        let line = format!("the hive {how}; {fate}: {start}");
        self.say_of_hive(index, Tone::Warning, &line);
    }

    /// The hive of a job had died, and runs again.
    pub(super) fn hive_started_again(&mut self, index: usize, times: u32) {
        let name = self.jobs[index].hive.name.clone();
        for job in self.jobs.iter_mut().filter(|job| job.hive.name == name) {
            job.hive_is_gone = false;
        }
        self.say_of_hive(index, Tone::Warning, &screens::started_again(times));
    }

    /// A frame of a job's stream came.
    pub(super) fn event(
        &mut self,
        index: usize,
        id: u64,
        event: &Event,
        since_cancel: Option<Duration>,
        now: Instant,
    ) {
        let shown = &self.jobs[index];
        let job = shown.job.as_ref().map(|job| job.job_id);
        let job = job.filter(|_| self.jobs.len() > 1);
        let hive = self.is_fleet.then_some(shown.hive.name.as_str());
        self.printer.event(id, event, job, hive);
        for word in self.jobs[index].absorb(event, now) {
            self.word(index, word);
        }
        if let Some(job) = event.last() {
            self.draw(index);
            self.ended(index, event, job, since_cancel);
        } else {
            self.draw(index);
        }
    }

    fn word(&self, index: usize, word: Word) {
        match word {
            Word::Planned(plan) => {
                let lines = if self.names_hive(index) || self.bars.is_none() {
                    screens::planned_in_a_log(&plan)
                } else {
                    screens::planned(&plan)
                };
                for line in lines {
                    self.say(index, Tone::Plain, &line);
                }
            }
            Word::Log(level, message) => {
                let tone = match level {
                    LogLevel::Debug | LogLevel::Info => Tone::Plain,
                    LogLevel::Warning | LogLevel::Error => Tone::Warning,
                };
                self.say(index, tone, &message);
            }
            Word::Paused => {
                let resume = format!("job resume {}", self.jobs[index].short());
                let resume = self.jobs[index].hive.command(&resume);
                let line = format!("paused; it goes on when it is resumed: {resume}");
                self.say_own(index, Tone::Plain, &line);
            }
            Word::Resumed => self.say_own(index, Tone::Plain, "resumed"),
            Word::Reconnected { after, missed } => {
                let time = format::whole_duration(after.as_secs());
                let events = if missed { "some events" } else { "no event" };
                let line = format!("connected again after {time}, {events} missed");
                self.say_own(index, Tone::Plain, &line);
            }
        }
    }

    fn ended(&self, index: usize, event: &Event, job: &Job, since_cancel: Option<Duration>) {
        let hive = &self.jobs[index].hive;
        match event {
            Event::Succeeded(_) => self.say(index, Tone::Good, &screens::done(job)),
            Event::Failed(_) if self.printer.settings().is_json() => {}
            Event::Failed(_) => {
                self.block(Tone::Bad, &screens::failed(hive, job));
            }
            Event::Cancelled(_) => {
                let which = match (self.names_hive(index), self.jobs.len()) {
                    (true, _) => format!(" {} on {}", job.job_id.short(), hive.name),
                    (false, 1) => String::new(),
                    (false, _) => format!(" {}", job.job_id.short()),
                };
                let mut lines = vec![match since_cancel {
                    Some(time) => leaving::cancelled(&which, time),
                    None => format!("Job {} was cancelled on {}", job.job_id.short(), hive.name),
                }];
                lines.extend(screens::cancelled(hive, job));
                self.block(Tone::Warning, &lines);
            }
            Event::Snapshot(_)
            | Event::State(_)
            | Event::Phase(_)
            | Event::Log(_)
            | Event::Progress(_)
            | Event::Heartbeat(_)
            | Event::Unknown { .. } => {}
        }
    }

    /// The jobs that wait for a slot, as far as is known.
    pub(super) fn queued(&self) -> Vec<(usize, JobId)> {
        let jobs = self.jobs.iter().enumerate();
        let queued = jobs.filter(|(_, shown)| shown.waits_for_a_slot());
        let ids = queued.filter_map(|(index, shown)| Some((index, shown.job.as_ref()?.job_id)));
        ids.collect()
    }

    /// The hive was asked for the places of queued jobs.
    pub(super) fn places(&mut self, jobs: &[Job]) {
        for job in jobs {
            for shown in &mut self.jobs {
                shown.place(job);
            }
        }
    }

    /// A second has passed.
    pub(super) fn tick(&mut self, now: Instant) {
        for index in 0..self.jobs.len() {
            self.draw(index);
        }
        if !self.printer.tells_lines() || now < self.next_line {
            return;
        }
        let is_first_minute = now.duration_since(self.began) < Duration::from_mins(1);
        self.next_line = now
            + if is_first_minute {
                LINE_EVERY.0
            } else {
                LINE_EVERY.1
            };
        for (index, job) in self.jobs.iter().enumerate() {
            if !job.has_ended {
                self.say(index, Tone::Plain, &job.status(now));
            }
        }
    }

    /// The jobs are being cancelled.
    pub(super) fn cancelling(&self, jobs: &VecDeque<JobId>, signal: Signal) {
        let what = leaving::cancelling(jobs, &self.jobs);
        let again = match signal {
            Signal::Interrupt => ", press Ctrl+C again to leave at once",
            Signal::Terminate | Signal::HangUp | Signal::Quit => "",
        };
        self.printer.must_know(Tone::Plain, &(what + again));
    }

    /// The hive could not be told.
    pub(super) fn cancel_failed(&self, index: usize, error: &ClientError) {
        let shown = &self.jobs[index];
        let (short, hive) = (shown.short(), &shown.hive.name);
        let line = format!("Cannot tell {hive} to cancel {short}: {error}");
        self.printer.must_know(Tone::Bad, &line);
    }

    /// keeper ends before the jobs do.
    pub(super) fn leaving(&mut self, leaving: Leaving, unended: &[(usize, Option<JobId>)]) {
        self.close_bars();
        let lines = leaving::lines(leaving, unended, &self.jobs);
        self.block(Tone::Plain, &lines);
        self.print_results();
    }

    /// Every job has ended.
    pub(super) fn finished(&mut self, outcome: Outcome) {
        self.close_bars();
        if outcome.too_late {
            let line = leaving::too_late(&self.jobs);
            self.printer.must_know(Tone::Plain, &line);
        }
        self.print_results();
    }

    fn print_results(&self) {
        results::print(&self.printer, &self.jobs, self.is_fleet);
    }

    /// How many jobs are followed on the hive of this one.
    fn jobs_beside(&self, index: usize) -> usize {
        let hive = &self.jobs[index].hive.name;
        let theirs = self.jobs.iter().filter(|job| job.hive.name == *hive);
        theirs.count()
    }

    /// Whether every line about this job names its hive: always, unless only this machine's is meant.
    fn names_hive(&self, index: usize) -> bool {
        self.is_fleet || !self.jobs[index].hive.is_local
    }

    /// What a line of a job's story begins with: its hive, in a log that of this machine too; its id where its hive has
    /// several jobs.
    fn mark(&self, index: usize) -> Option<String> {
        let shown = &self.jobs[index];
        let names_hive = self.names_hive(index) || self.bars.is_none();
        let names_job = self.jobs_beside(index) > 1 && shown.job.is_some();
        match (names_hive, names_job) {
            (false, false) => None,
            (false, true) => Some(shown.short()),
            (true, false) => Some(shown.hive.name.clone()),
            (true, true) => Some(format!("{} {}", shown.hive.name, shown.short())),
        }
    }

    /// A line of a job's story.
    fn say(&self, index: usize, tone: Tone, line: &str) {
        match self.mark(index) {
            Some(mark) => {
                let line = format!("{mark}: {}", screens::after_a_name(line));
                self.printer.story_in(tone, &line);
            }
            None => self.printer.story_in(tone, line),
        }
    }

    /// A sentence of keeper's own about a job; one of the hive may begin with a name, whose spelling is not ours.
    fn say_own(&self, index: usize, tone: Tone, line: &str) {
        match self.mark(index) {
            Some(_) => self.say(index, tone, line),
            None => self.say(index, tone, &screens::capitalised(line)),
        }
    }

    /// A line about a job's hive and so about every job there.
    fn say_of_hive(&self, index: usize, tone: Tone, line: &str) {
        let line = if self.bars.is_some() && !self.names_hive(index) {
            screens::capitalised(line)
        } else {
            format!("{}: {line}", self.jobs[index].hive.name)
        };
        self.printer.story_in(tone, &line);
    }

    /// Lines that must be known, the first in its tone.
    fn block(&self, tone: Tone, lines: &[String]) {
        for (number, line) in lines.iter().enumerate() {
            let tone = if number == 0 { tone } else { Tone::Plain };
            self.printer.must_know(tone, line);
        }
    }

    fn draw(&mut self, index: usize) {
        let names_hive = self.names_hive(index);
        if let Some(bars) = &mut self.bars {
            bars.draw(index, &self.jobs[index], names_hive, Instant::now());
        }
    }

    fn close_bars(&mut self) {
        if let Some(bars) = self.bars.take() {
            bars.close();
        }
    }
}

#[cfg(test)]
mod tests;
