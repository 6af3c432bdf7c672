//! What is said while jobs are followed, for each audience.

mod bars;

use std::{collections::VecDeque, time::Duration};

use hive_api::{Event, Job, JobId, JobResult, LogLevel, Open};
use hive_client::{ClientError, ConnectionLoss, Followed};
use serde::Serialize;
use tokio::time::Instant;

use self::bars::Bars;
use super::{
    course::{Leaving, Outcome},
    shown::{Shown, Word},
    signals::Signal,
};
use crate::{
    failure::Failure,
    hives::Hive,
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
}

/// An event as a line of JSON.
#[derive(Serialize)]
struct EventLine<'a> {
    event: &'a str,
    id: u64,
    data: serde_json::Value,
    /// Which job it is about, where several are followed.
    #[serde(skip_serializing_if = "Option::is_none")]
    job_id: Option<JobId>,
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

    /// The hive does not have the job, or its stream cannot be followed.
    pub(super) fn refused(&mut self, index: usize, failure: &Failure) {
        self.jobs[index].has_ended = true;
        self.draw(index);
        failure.tell(&self.printer);
    }

    /// Something came over a job's stream.
    pub(super) fn followed(
        &mut self,
        index: usize,
        followed: &Followed,
        since_cancel: Option<Duration>,
        now: Instant,
    ) {
        match followed {
            Followed::Event { id, event } => self.event(index, *id, event, since_cancel, now),
            Followed::ConnectionLost { reason, .. } => {
                tracing::debug!(reason = %reason, "the event stream was lost");
                let is_down = self.hive.is_local && *reason == ConnectionLoss::Refused;
                if is_down && self.jobs[index].hive_ended(now) {
                    let start = self.hive.command("hive start");
                    let line = format!(
                        "the hive does not run any more; the job goes on when it runs again: {start}"
                    );
                    self.say(index, Tone::Warning, &line);
                } else if self.jobs[index].lost(now) {
                    let line = "connection lost, the job goes on, trying again";
                    self.say(index, Tone::Warning, line);
                }
            }
            Followed::Reconnected { after } => self.jobs[index].reconnected(*after),
        }
        self.draw(index);
    }

    fn event(
        &mut self,
        index: usize,
        id: u64,
        event: &Event,
        since_cancel: Option<Duration>,
        now: Instant,
    ) {
        if self.printer.settings().is_json()
            && let Ok(data) = event.data()
        {
            let job = self.jobs[index].job.as_ref().map(|job| job.job_id);
            self.printer.json(&EventLine {
                event: event.name(),
                id,
                data,
                job_id: job.filter(|_| self.jobs.len() > 1),
            });
        }
        for word in self.jobs[index].absorb(event, now) {
            self.word(index, word);
        }
        if let Some(job) = event.last() {
            self.draw(index);
            self.ended(index, event, job, since_cancel);
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
                self.say(index, Tone::Plain, &line);
            }
            Word::Resumed => self.say(index, Tone::Plain, "resumed"),
            Word::Reconnected { after, missed } => {
                let time = format::whole_duration(after.as_secs());
                let events = if missed { "some events" } else { "no event" };
                let line = format!("connected again after {time}, {events} missed");
                self.say(index, Tone::Plain, &line);
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
        let hive = &self.hive.name;
        for job in unended {
            let (happened, verb) = match leaving {
                Leaving::CancelUnconfirmed(_) => (format!("Left before {hive} answered"), "cancel"),
                Leaving::CancelTimedOut(_) => (format!("{hive} did not confirm in 5 s"), "cancel"),
                Leaving::JobsGoOn(_) | Leaving::Detached => (format!("Left {hive}"), "watch"),
            };
            let lines = match (job, verb) {
                (None, _) => [
                    format!("{happened}: it may have accepted the job"),
                    format!("  Look      {}", self.hive.command("job list")),
                ],
                (Some(id), "cancel") => [
                    format!("{happened}: job {} may still run", id.short()),
                    self.way("Cancel", "job cancel", *id),
                ],
                (Some(id), _) if self.is_paused(*id) => [
                    format!("Left {hive}: job {} stays paused", id.short()),
                    self.way("Resume", "job resume", *id),
                ],
                (Some(id), _) => [
                    format!("Left {hive}: job {} goes on", id.short()),
                    self.way("Watch", "job watch", *id),
                ],
            };
            self.block(Tone::Plain, &lines);
        }
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

    fn is_paused(&self, id: JobId) -> bool {
        let is_it = |shown: &&Shown| shown.job.as_ref().is_some_and(|job| job.job_id == id);
        self.jobs.iter().find(is_it).is_some_and(Shown::is_paused)
    }

    fn way(&self, label: &str, command: &str, id: JobId) -> String {
        let command = self.hive.command(&format!("{command} {}", id.short()));
        format!("  {label:<8}  {command}")
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
            (true, true) => format!("{}: {line}", shown.short()),
            (false, false) => format!("{}: {}", self.hive.name, lowercased(line)),
            (false, true) => {
                format!("{} {}: {}", self.hive.name, shown.short(), lowercased(line))
            }
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

/// Our own sentences begin small after the name of the hive; names keep their spelling.
fn lowercased(line: &str) -> String {
    const OURS: [&str; 3] = ["Done: ", "Chose ", "Left "];
    match OURS.iter().find(|start| line.starts_with(**start)) {
        Some(start) => {
            let small = start.to_lowercase().replace("done: ", "done, ");
            small + &line[start.len()..]
        }
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests;
