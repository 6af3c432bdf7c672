//! What is said while jobs are followed, for each audience.

mod bars;
mod leaving;

use std::{collections::VecDeque, time::Duration};

use hive_api::{Event, Job, JobId, JobResult, LogLevel, Open};
use hive_client::ClientError;
use tokio::time::Instant;

use self::bars::Bars;
use super::{
    course::{Leaving, Outcome},
    shown::{Shown, Word},
};
use crate::{
    failure::Failure,
    hives::Hive,
    signals::Signal,
    ui::{Figures, Printer, Tone, format, screens},
};

/// How often a log gets a line of figures in the first minute, and after it.
const LINE_EVERY: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(30));

/// Tells the story of the jobs that are followed.
pub(super) struct Story {
    printer: Printer,
    hive: Hive,
    jobs: Vec<Shown>,
    bars: Option<Bars>,
    began: Instant,
    next_line: Instant,
    /// Whether it was told that no hive runs here, since the last connection.
    hive_told_gone: bool,
    /// The last failure that was told instead of a job's end.
    refused_with: Option<Failure>,
}

impl Story {
    pub(super) fn new(printer: Printer, hive: Hive, jobs: Vec<Shown>, hint: &'static str) -> Self {
        let has_bars = printer.settings().figures == Figures::Bars;
        let bars = has_bars.then(|| Bars::new(&printer, jobs.len(), hint));
        let began = Instant::now();
        Self {
            printer,
            hive,
            jobs,
            bars,
            began,
            next_line: began + LINE_EVERY.0,
            hive_told_gone: false,
            refused_with: None,
        }
    }

    /// The hive has the job.
    pub(super) fn accepted(&mut self, index: usize, job: Job, was_submitted: bool) {
        let (name, short) = (&self.hive.name, job.job_id.short());
        let line = if was_submitted {
            match self.jobs.len() {
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
        if self.refused_with.as_ref() != Some(&failure) {
            failure.tell(&self.printer);
        }
        self.refused_with = Some(failure);
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
        self.hive_told_gone = false;
        self.jobs[index].reconnected(after);
    }

    /// No hive runs on this machine any more, and it is not started again; told once for all jobs.
    pub(super) fn hive_is_gone(&mut self, index: usize, how: &str) {
        if std::mem::replace(&mut self.hive_told_gone, true) {
            return;
        }
        let fate = match self.jobs.iter().filter(|job| !job.has_ended).count() {
            1 => screens::with_the_next_hive(self.jobs[index].job.as_ref()),
            _ => screens::JOBS_WITH_THE_NEXT_HIVE,
        };
        let start = self.hive.command("hive start");
        let line = format!("the hive {how}; {fate}: {start}");
        self.say_of_hive(Tone::Warning, &line);
    }

    /// The hive of this machine had died, and runs again.
    pub(super) fn hive_started_again(&mut self, times: u32) {
        for job in &mut self.jobs {
            job.hive_is_gone = false;
        }
        self.say_of_hive(Tone::Warning, &screens::started_again(times));
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
        let job = self.jobs[index].job.as_ref().map(|job| job.job_id);
        self.printer
            .event(id, event, job.filter(|_| self.jobs.len() > 1));
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
                let lines = match self.bars {
                    Some(_) => screens::planned(&plan),
                    None => screens::planned_in_a_log(&plan),
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
                let resume = self.hive.command(&resume);
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
        match event {
            Event::Succeeded(_) => self.say(index, Tone::Good, &screens::done(job)),
            Event::Failed(_) if self.printer.settings().is_json() => {}
            Event::Failed(_) => {
                self.block(Tone::Bad, &screens::failed(&self.hive, job));
            }
            Event::Cancelled(_) => {
                let first = match since_cancel {
                    Some(time) => {
                        let which = if self.jobs.len() > 1 {
                            format!(" {}", job.job_id.short())
                        } else {
                            String::new()
                        };
                        let time = format::duration(time);
                        format!(
                            "Cancelled{which} in {time}: connections closed, \
                             nothing of it runs any more"
                        )
                    }
                    None => format!(
                        "Job {} was cancelled on {}",
                        job.job_id.short(),
                        self.hive.name
                    ),
                };
                let mut lines = vec![first];
                lines.extend(screens::cancelled(&self.hive, job));
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
    pub(super) fn queued(&self) -> Vec<JobId> {
        let queued = self.jobs.iter().filter(|shown| shown.waits_for_a_slot());
        let jobs = queued.filter_map(|shown| shown.job.as_ref());
        jobs.map(|job| job.job_id).collect()
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
        if self.printer.settings().figures != Figures::Lines {
            return;
        }
        if now < self.next_line {
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
        let hive = &self.hive.name;
        let what = match jobs.len() {
            0 => format!("Cancelling on {hive} as soon as it has answered"),
            1 => format!("Cancelling {} on {hive}", jobs[0].short()),
            jobs => format!("Cancelling {jobs} jobs on {hive}"),
        };
        let again = match signal {
            Signal::Interrupt => ", press Ctrl+C again to leave at once",
            Signal::Terminate | Signal::HangUp | Signal::Quit => "",
        };
        self.printer.must_know(Tone::Plain, &(what + again));
    }

    /// The hive could not be told.
    pub(super) fn cancel_failed(&self, index: usize, error: &ClientError) {
        let short = self.jobs[index].short();
        let line = format!("Cannot tell {} to cancel {short}: {error}", self.hive.name);
        self.printer.must_know(Tone::Bad, &line);
    }

    /// keeper ends before the jobs do.
    pub(super) fn leaving(&mut self, leaving: Leaving, unended: &[Option<JobId>]) {
        self.close_bars();
        let lines = leaving::lines(&self.hive, leaving, unended, &self.jobs);
        self.block(Tone::Plain, &lines);
        self.print_results();
    }

    /// Every job has ended.
    pub(super) fn finished(&mut self, outcome: Outcome) {
        self.close_bars();
        if outcome.too_late {
            let line = "Too late to cancel: every file was already published";
            self.printer.must_know(Tone::Plain, line);
        }
        self.print_results();
    }

    /// Where the models are, in the order in which they were named.
    fn print_results(&self) {
        let ended = self.jobs.iter().filter(|shown| shown.has_ended);
        for job in ended.filter_map(|shown| shown.job.as_ref()) {
            if self.printer.settings().is_json() {
                self.printer.json(job);
            } else if let Some(Open::Known(JobResult::ModelDownload(model))) = &job.result {
                self.printer.data(&model.path);
            }
        }
    }

    /// A line of a job's story, marked with its hive in a log and with its id where there are several.
    fn say(&self, index: usize, tone: Tone, line: &str) {
        let shown = &self.jobs[index];
        let is_many = self.jobs.len() > 1;
        let line = match (self.bars.is_some(), is_many) {
            (true, false) => line.to_owned(),
            (true, true) => format!("{}: {}", shown.short(), screens::after_a_name(line)),
            (false, false) => format!("{}: {}", self.hive.name, screens::after_a_name(line)),
            (false, true) => {
                format!(
                    "{} {}: {}",
                    self.hive.name,
                    shown.short(),
                    screens::after_a_name(line)
                )
            }
        };
        self.printer.story_in(tone, &line);
    }

    /// A sentence of keeper's own about a job; one of the hive may begin with a name, whose spelling is not ours.
    fn say_own(&self, index: usize, tone: Tone, line: &str) {
        match (&self.bars, self.jobs.len()) {
            (Some(_), 1) => self.say(index, tone, &screens::capitalised(line)),
            _ => self.say(index, tone, line),
        }
    }

    /// A line about the hive and so about every job.
    fn say_of_hive(&self, tone: Tone, line: &str) {
        let line = match self.bars {
            Some(_) => screens::capitalised(line),
            None => format!("{}: {line}", self.hive.name),
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
        if let Some(bars) = &mut self.bars {
            bars.draw(index, &self.jobs[index], Instant::now());
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
