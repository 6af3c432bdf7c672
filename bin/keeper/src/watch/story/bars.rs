//! Bars on a terminal: one a file in transfer, a total a job, and the keys at the end.

use std::collections::BTreeMap;

use hive_api::{FileProgress, Job, JobState, Open, Phase};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tokio::time::Instant;

use crate::{
    ui::{Printer, canvas, clean, format},
    watch::shown::{Shown, figures, state_of},
};

/// Files in transfer that get a bar of their own, of all jobs together.
const FILES_MAX: usize = 12;
/// Files of a job up to which a verified one keeps its bar.
const KEPT_FILES_MAX: u32 = 8;
const BAR_COLUMNS: u64 = 20;
/// On a narrow terminal the figures need the room more.
const NARROW_BAR_COLUMNS: u64 = 8;
/// A terminal with fewer columns is narrow.
const NARROW: u16 = 76;

/// The bars of all jobs, from top to bottom.
pub(super) struct Bars {
    area: MultiProgress,
    jobs: Vec<JobBars>,
    hint: ProgressBar,
}

/// The bars of one job.
struct JobBars {
    /// Which job it is, where there are several.
    name: Option<ProgressBar>,
    files: BTreeMap<u32, FileBar>,
    files_max: usize,
    total: ProgressBar,
}

/// One file's bar.
struct FileBar {
    bar: ProgressBar,
    bar_columns: u64,
    bytes_total: Option<u64>,
    is_verified: bool,
}

impl Bars {
    pub(super) fn new(printer: &Printer, jobs: usize, hint: &'static str) -> Self {
        let area = printer.bars().clone();
        let (rows, _) = canvas::size();
        let (has_name, files_max) = lines_of_each(jobs, usize::from(rows));
        let of_each = (0..jobs).map(|_| JobBars {
            name: has_name.then(|| area.add(text_line())),
            files: BTreeMap::new(),
            files_max,
            total: area.add(text_line()),
        });
        let jobs = of_each.collect();
        let line = area.add(text_line());
        line.set_message(hint);
        Self {
            area,
            jobs,
            hint: line,
        }
    }

    /// Brings one job's bars up to date.
    pub(super) fn draw(&mut self, index: usize, shown: &Shown, names_hive: bool, now: Instant) {
        let is_many = self.jobs.len() > 1;
        let Some(bars) = self.jobs.get_mut(index) else {
            return;
        };
        if shown.has_ended {
            bars.clear();
            return;
        }
        if shown.lost_since.is_some() || shown.job.as_ref().is_some_and(is_at_rest) {
            bars.keep_verified();
        }
        let is_downloading = shown.job.as_ref().filter(|job| is_downloading(job));
        let line = match is_downloading.filter(|_| shown.lost_since.is_none()) {
            Some(job) => {
                bars.draw_files(&self.area, job);
                figures(job)
            }
            None => shown.status(now),
        };
        if let Some(name) = &bars.name {
            let which = if names_hive {
                format!("{}  {}  {}", shown.hive.name, shown.short(), shown.what)
            } else {
                format!("{}  {}", shown.short(), shown.what)
            };
            name.set_message(clean(&which).into_owned());
        }
        let first = match &bars.name {
            None if names_hive => shown.hive.name.clone(),
            None if is_many => shown.short(),
            None | Some(_) => "Total".to_owned(),
        };
        let line = format!("  {first:<7} {line}");
        bars.total.set_message(clean(&line).into_owned());
    }

    /// Takes everything away.
    pub(super) fn close(mut self) {
        for job in &mut self.jobs {
            job.clear();
        }
        self.hint.finish_and_clear();
    }
}

impl JobBars {
    fn draw_files(&mut self, area: &MultiProgress, job: &Job) {
        let progress = &job.progress;
        let active = || progress.files.iter().take(self.files_max);
        let keeps = progress.files_total <= KEPT_FILES_MAX;
        self.files.retain(|index, file| {
            let is_active = active().any(|other| other.index == *index);
            if is_active || (keeps && file.is_verified) {
                return true;
            }
            if keeps {
                file.verified();
            } else {
                file.bar.finish_and_clear();
            }
            keeps
        });
        let bar_columns = bar_columns();
        for file in active() {
            let bar = self.files.entry(file.index).or_insert_with(|| FileBar {
                bar: area.insert_before(&self.total, file_line(bar_columns)),
                bar_columns,
                bytes_total: None,
                is_verified: false,
            });
            bar.fit(bar_columns);
            bar.draw(file, progress.files_total);
        }
    }

    /// Takes away the bars of files that are not whole: what they show of motion is not true any more.
    fn keep_verified(&mut self) {
        self.files.retain(|_, file| {
            if !file.is_verified {
                file.bar.finish_and_clear();
            }
            file.is_verified
        });
    }

    fn clear(&mut self) {
        for file in self.files.values() {
            file.bar.finish_and_clear();
        }
        self.files.clear();
        if let Some(name) = &self.name {
            name.finish_and_clear();
        }
        self.total.finish_and_clear();
    }
}

impl FileBar {
    /// Follows the terminal when it becomes narrow or wide.
    fn fit(&mut self, bar_columns: u64) {
        if self.bar_columns != bar_columns {
            self.bar_columns = bar_columns;
            style_of_file(&self.bar, bar_columns);
        }
    }

    fn draw(&mut self, file: &FileProgress, of: u32) {
        self.is_verified = false;
        self.bytes_total = file.bytes_total;
        let (filled, whole) = (file.bytes_done, file.bytes_total.unwrap_or(0));
        self.bar.set_length(whole.max(1));
        self.bar.set_position(filled.min(whole));
        self.bar.set_prefix(format!("{} of {of}", file.index));
        let size = format::size_of_total(filled, file.bytes_total);
        let message = format!("{size:>18}   {}", state_of(file));
        self.bar.set_message(clean(&message).into_owned());
    }

    fn verified(&mut self) {
        self.is_verified = true;
        self.bar.set_position(self.bytes_total.unwrap_or(1));
        let size = self.bytes_total.map(format::size).unwrap_or_default();
        self.bar.set_message(format!("{size:>18}   verified"));
    }
}

fn is_downloading(job: &Job) -> bool {
    job.state == Open::Known(JobState::Running)
        && job.phase == Some(Open::Known(Phase::Downloading))
}

/// Whether no work is under way for the job.
fn is_at_rest(job: &Job) -> bool {
    matches!(job.state, Open::Known(JobState::Queued | JobState::Paused))
}

fn text_line() -> ProgressBar {
    let bar = ProgressBar::no_length();
    style(&bar, "{wide_msg}");
    bar
}

fn file_line(bar_columns: u64) -> ProgressBar {
    let bar = ProgressBar::new(1);
    style_of_file(&bar, bar_columns);
    bar
}

fn style_of_file(bar: &ProgressBar, bar_columns: u64) {
    let template = format!("  {{prefix:<7}} {{bar:{bar_columns}}}  {{wide_msg}}");
    style(bar, &template);
}

/// Whether each job has a line with its name, and how many files it shows at most: what does not fit on the terminal is
/// not drawn, and a job's total must be.
fn lines_of_each(jobs: usize, rows: usize) -> (bool, usize) {
    // The line of keys, and one for the cursor.
    let room = rows.saturating_sub(2) / jobs;
    let has_name = jobs > 1 && room >= 2;
    let others = 1 + usize::from(has_name);
    (
        has_name,
        (FILES_MAX / jobs).min(room.saturating_sub(others)),
    )
}

fn bar_columns() -> u64 {
    let (_, columns) = canvas::size();
    if columns < NARROW {
        NARROW_BAR_COLUMNS
    } else {
        BAR_COLUMNS
    }
}

fn style(bar: &ProgressBar, template: &str) {
    // The templates above are constants; with a wrong one the default style would still show the figures.
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("##-"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_job_has_its_total_on_the_terminal_and_files_take_what_is_left() {
        assert_eq!(lines_of_each(1, 24), (false, 12));
        assert_eq!(lines_of_each(1, 8), (false, 5));
        assert_eq!(lines_of_each(3, 24), (true, 4));
        assert_eq!(lines_of_each(10, 24), (true, 0));
        assert_eq!(lines_of_each(20, 24), (false, 0));
    }
}
