//! What is known of one job now, kept up to date by its events.

use std::time::Duration;

use hive_api::{Event, FileProgress, Job, JobState, LogEvent, LogLevel, Open, Phase, PlanSummary};
use tokio::time::Instant;

use crate::{
    failure::Failure,
    hives::Hive,
    ui::{format, screens},
};

/// Something that an event gives reason to say.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Word {
    /// What will be fetched; once a job.
    Planned(Box<PlanSummary>),
    /// A line of the hive's own story.
    Log(LogLevel, String),
    /// Someone paused it.
    Paused,
    /// Someone resumed it.
    Resumed,
    /// The connection is back.
    Reconnected { after: Duration, missed: bool },
}

/// What is known of one job now.
pub(super) struct Shown {
    /// The hive that it is on, or is to be.
    pub(super) hive: Hive,
    /// What it is, in a person's words.
    pub(super) what: String,
    /// The job, once the hive has it.
    pub(super) job: Option<Job>,
    /// Since when its stream is gone.
    pub(super) lost_since: Option<Instant>,
    /// Whether nothing more comes of it.
    pub(super) has_ended: bool,
    /// Why it was not accepted or is not followed any further.
    pub(super) refusal: Option<Failure>,
    /// Whether the hive of this machine was found not to run since then.
    pub(super) hive_is_gone: bool,
    reconnected_after: Option<Duration>,
    told: Told,
    /// When the figures last came.
    figures_at: Instant,
    /// Seconds without a byte when they came.
    idle_seconds: u64,
    /// When the state or the phase last changed.
    phase_since: Instant,
}

/// What was said already and is not said again.
#[derive(Default)]
struct Told {
    plan: bool,
    pause: bool,
}

impl Shown {
    /// A job of which nothing is known yet.
    pub(super) fn new(hive: &Hive, what: &str, now: Instant) -> Self {
        Self {
            hive: hive.clone(),
            what: what.to_owned(),
            job: None,
            lost_since: None,
            has_ended: false,
            refusal: None,
            hive_is_gone: false,
            reconnected_after: None,
            told: Told::default(),
            figures_at: now,
            idle_seconds: 0,
            phase_since: now,
        }
    }

    /// The shown end of its id, or nothing before it has one.
    pub(super) fn short(&self) -> String {
        let id = self.job.as_ref().map(|job| job.job_id.short());
        id.unwrap_or_default()
    }

    /// The connection is gone; true the first time.
    pub(super) fn lost(&mut self, hive_is_gone: bool, now: Instant) -> bool {
        self.hive_is_gone = hive_is_gone;
        let is_first = self.lost_since.is_none();
        self.lost_since.get_or_insert(now);
        is_first
    }

    /// The connection is back; what to say about it depends on the snapshot that follows.
    pub(super) fn reconnected(&mut self, after: Duration) {
        self.lost_since = None;
        self.hive_is_gone = false;
        self.reconnected_after = Some(after);
    }

    /// Takes an event in, and says what there is to say about it.
    pub(super) fn absorb(&mut self, event: &Event, now: Instant) -> Vec<Word> {
        let mut words = Vec::new();
        if let Some(after) = self.reconnected_after.take() {
            let missed =
                matches!(event, Event::Snapshot(snapshot) if snapshot.resumed == Some(false));
            words.push(Word::Reconnected { after, missed });
        }
        match event {
            Event::Snapshot(snapshot) => self.replace(&snapshot.job, now),
            Event::Succeeded(job) | Event::Failed(job) | Event::Cancelled(job) => {
                self.replace(job, now);
                self.has_ended = true;
            }
            Event::State(change) => {
                self.phase_since = now;
                self.update(|job| enter(job, &change.state));
            }
            Event::Phase(change) => {
                self.phase_since = now;
                self.update(|job| job.phase = Some(change.phase.clone()));
            }
            Event::Progress(progress) => {
                self.figures_at = now;
                let idle = progress.files.iter().map(|file| file.idle_seconds).min();
                self.idle_seconds = idle.unwrap_or(0);
                self.update(|job| job.progress = (**progress).clone());
            }
            Event::Heartbeat(heartbeat) => {
                self.figures_at = now;
                self.idle_seconds = heartbeat.idle_seconds;
            }
            Event::Log(line) => words.extend(self.logged(line)),
            Event::Unknown { .. } => {}
        }
        words.extend(self.plan_to_tell());
        words.extend(self.pause_to_tell());
        words
    }

    fn replace(&mut self, job: &Job, now: Instant) {
        let phase_of = |job: &Job| (job.state.clone(), job.phase.clone());
        if self.job.as_ref().map(phase_of) != Some(phase_of(job)) {
            self.phase_since = now;
        }
        self.figures_at = now;
        self.job = Some(job.clone());
    }

    fn update(&mut self, change: impl FnOnce(&mut Job)) {
        if let Some(job) = &mut self.job {
            change(job);
        }
    }

    fn logged(&mut self, line: &LogEvent) -> Option<Word> {
        if let Some(plan) = &line.plan {
            self.update(|job| job.plan = Some(plan.clone()));
            return None;
        }
        let level = match &line.level {
            Open::Known(level) => *level,
            Open::Unknown(_) => LogLevel::Info,
        };
        let is_told_by_figures =
            matches!(line.code.as_deref(), Some("file_verified" | "file_reused"));
        match level {
            LogLevel::Debug => None,
            LogLevel::Info if is_told_by_figures => None,
            LogLevel::Info | LogLevel::Warning | LogLevel::Error => {
                Some(Word::Log(level, line.message.clone()))
            }
        }
    }

    fn plan_to_tell(&mut self) -> Option<Word> {
        let plan = self.job.as_ref()?.plan.as_ref()?;
        if std::mem::replace(&mut self.told.plan, true) {
            return None;
        }
        Some(Word::Planned(Box::new(plan.clone())))
    }

    fn pause_to_tell(&mut self) -> Option<Word> {
        let Open::Known(state) = self.job.as_ref()?.state else {
            return None;
        };
        match state {
            JobState::Paused => {
                let was_told = std::mem::replace(&mut self.told.pause, true);
                (!was_told).then_some(Word::Paused)
            }
            JobState::Queued | JobState::Running => {
                std::mem::take(&mut self.told.pause).then_some(Word::Resumed)
            }
            JobState::Pausing
            | JobState::Cancelling
            | JobState::Succeeded
            | JobState::Failed
            | JobState::Cancelled => None,
        }
    }

    /// Whether it has a place in the queue to be asked for.
    pub(super) fn waits_for_a_slot(&self) -> bool {
        let state = self.job.as_ref().map(|job| &job.state);
        self.lost_since.is_none() && state == Some(&Open::Known(JobState::Queued))
    }

    /// Takes over the place in the queue of this job as it was asked for; what its events tell besides is newer.
    pub(super) fn place(&mut self, asked: &Job) {
        if let Some(job) = &mut self.job
            && job.job_id == asked.job_id
            && job.state == asked.state
        {
            job.queue_position = asked.queue_position;
        }
    }

    /// Where the job is, in one line: `downloading 24.0 %, 34.2 of 142.3 GB, 116 MB/s, 16 min left, last byte 0 s`.
    pub(super) fn status(&self, now: Instant) -> String {
        if let Some(since) = self.lost_since {
            let time = format::whole_duration(now.duration_since(since).as_secs());
            if self.hive_is_gone {
                return format!("hive not running for {time}");
            }
            let meanwhile = screens::meanwhile(self.job.as_ref());
            return format!("not connected for {time}, {meanwhile}, trying again");
        }
        let Some(job) = &self.job else {
            return "waiting for the hive's answer".to_owned();
        };
        let state = match &job.state {
            Open::Known(JobState::Running) => return self.running(job, now),
            Open::Known(JobState::Queued) => {
                let place = job.queue_position;
                return match place {
                    Some(place) => format!("queued, place {place}"),
                    None => "queued".to_owned(),
                };
            }
            state => state.as_str(),
        };
        let time = format::whole_duration(now.duration_since(self.phase_since).as_secs());
        format!("{state} for {time}")
    }

    fn running(&self, job: &Job, now: Instant) -> String {
        let phase = match &job.phase {
            Some(Open::Known(Phase::Downloading)) => {
                let idle = self.idle_seconds + now.duration_since(self.figures_at).as_secs();
                let idle = format::whole_duration(idle);
                return format!("downloading {}, last byte {idle}", figures(job));
            }
            Some(Open::Known(phase)) => words_of(*phase).to_owned(),
            Some(Open::Unknown(phase)) => phase.replace('_', " "),
            None => "running".to_owned(),
        };
        let time = format::whole_duration(now.duration_since(self.phase_since).as_secs());
        format!("{phase} for {time}")
    }
}

/// The job in another state. Where no work is under way for it, or has only just begun, it is in no phase and nothing of
/// it moves; a place in the queue is not told with the state.
fn enter(job: &mut Job, state: &Open<JobState>) {
    job.state = state.clone();
    job.queue_position = None;
    match state {
        Open::Known(JobState::Queued | JobState::Running | JobState::Paused) => {
            job.phase = None;
            job.progress.bytes_per_second = 0;
            job.progress.eta_seconds = None;
            job.progress.files.clear();
        }
        Open::Known(
            JobState::Pausing
            | JobState::Cancelling
            | JobState::Succeeded
            | JobState::Failed
            | JobState::Cancelled,
        )
        | Open::Unknown(_) => {}
    }
}

/// The phase as a person says it.
pub(super) const fn words_of(phase: Phase) -> &'static str {
    match phase {
        Phase::Resolving => "asking the Hub for the revision",
        Phase::Planning => "comparing the files with the store",
        Phase::WaitingForNetwork => "waiting for the network",
        Phase::Downloading => "downloading",
        Phase::Verifying => "comparing hashes",
        Phase::Publishing => "publishing",
    }
}

/// `24.0 %, 34.2 of 142.3 GB, 116 MB/s, 16 min left`.
pub(super) fn figures(job: &Job) -> String {
    let progress = &job.progress;
    let mut parts = Vec::new();
    if let Some(total) = progress.bytes_total {
        parts.push(format::percent(progress.bytes_done, total));
    }
    parts.push(format::size_of_total(
        progress.bytes_done,
        progress.bytes_total,
    ));
    parts.push(format::rate(progress.bytes_per_second));
    if let Some(seconds) = progress.eta_seconds {
        parts.push(format!("{} left", format::whole_duration(seconds)));
    }
    parts.join(", ")
}

/// `61 MB/s`, or `stalled 31 s, attempt 2 of 8`.
pub(super) fn state_of(file: &FileProgress) -> String {
    let state = if file.idle_seconds >= 5 {
        format!("stalled {}", format::whole_duration(file.idle_seconds))
    } else {
        format::rate(file.bytes_per_second)
    };
    match file.try_number {
        0 | 1 => state,
        number => format!("{state}, attempt {number} of {}", file.tries),
    }
}

#[cfg(test)]
mod tests;
