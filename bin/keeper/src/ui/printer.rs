//! The one way to stdout and stderr.
//!
//! A closed pipe is no error: whoever reads decides when it has read enough. Any other error of stdout is kept for the
//! end of the process. Every line is cleaned of control
//! characters here, so that no caller can forget it.

use std::{
    io::{self, Write},
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use hive_api::{Event, JobId};
use indicatif::{MultiProgress, ProgressDrawTarget};
use serde::Serialize;

use super::{
    canvas::Canvas,
    clean::{clean, escape_json},
    table::Table,
};

const FRAMES_PER_SECOND: u8 = 10;

/// How to print, decided once from the arguments and the environment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PrinterSettings {
    /// Who reads.
    pub(crate) audience: Audience,
    /// How figures are told while they change.
    pub(crate) figures: Figures,
    /// Whether stderr is a terminal.
    pub(crate) terminal: bool,
    /// Whether colours may be used on stderr.
    pub(crate) color: bool,
    /// The columns of the terminal that stdout is; what goes elsewhere is not shortened.
    pub(crate) columns: Option<usize>,
}

impl PrinterSettings {
    /// Whether stdout carries JSON lines.
    pub(crate) fn is_json(self) -> bool {
        self.audience == Audience::Program
    }
}

/// Who reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    /// A person who wants the story on stderr.
    Person,
    /// A person who wants to hear only what must be known.
    QuietPerson,
    /// A program: stdout carries JSON lines, stderr only what a person must know.
    Program,
}

/// How figures are told while they change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Figures {
    /// As bars: stderr is a terminal.
    Bars,
    /// As a line now and then.
    Lines,
    /// Not at all.
    None,
}

/// What a line is about; only its colour, never its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// A step of the story.
    Plain,
    /// Something went well.
    Good,
    /// Something is not as it should be.
    Warning,
    /// Something failed.
    Bad,
}

impl Tone {
    const fn color(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Good => Some("\u{1b}[32m"),
            Self::Warning => Some("\u{1b}[33m"),
            Self::Bad => Some("\u{1b}[31m"),
        }
    }
}

/// An event as a line of JSON.
#[derive(Serialize)]
struct EventLine<'a> {
    event: &'a str,
    id: u64,
    data: serde_json::Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    job_id: Option<JobId>,
}

/// A value of one of several hives.
#[derive(Serialize)]
pub(crate) struct OfHive<'a, T> {
    /// What the hive is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hive: Option<&'a str>,
    /// The value, whose fields stand beside it.
    #[serde(flatten)]
    pub(crate) value: &'a T,
}

/// The one way to stdout and stderr. Clones share it.
#[derive(Clone)]
pub(crate) struct Printer {
    settings: PrinterSettings,
    bars: MultiProgress,
    out: Arc<Mutex<Box<dyn Write + Send>>>,
    err: Arc<Mutex<Box<dyn Write + Send>>>,
    out_error: Arc<OnceLock<io::Error>>,
    out_is_closed: Arc<AtomicBool>,
}

impl Printer {
    /// A printer to these two.
    pub(crate) fn new(
        settings: PrinterSettings,
        out: Box<dyn Write + Send>,
        err: Box<dyn Write + Send>,
    ) -> Self {
        let printer = Self {
            settings,
            bars: MultiProgress::with_draw_target(ProgressDrawTarget::hidden()),
            out: Arc::new(Mutex::new(out)),
            err: Arc::new(Mutex::new(err)),
            out_error: Arc::new(OnceLock::new()),
            out_is_closed: Arc::default(),
        };
        printer.draw_bars(true);
        printer
    }

    /// How it prints.
    pub(crate) fn settings(&self) -> PrinterSettings {
        self.settings
    }

    /// Where bars are drawn; their texts must be cleaned by whoever sets them.
    pub(crate) fn bars(&self) -> &MultiProgress {
        &self.bars
    }

    /// Draws bars, if at all, from where the cursor is now on, or no more: the terminal has been another's, or is.
    pub(crate) fn draw_bars(&self, are_drawn: bool) {
        // What was drawn on another target stays where it is.
        let target = if are_drawn && self.settings.figures == Figures::Bars {
            ProgressDrawTarget::term_like_with_hz(
                Box::new(Canvas::on(&self.err)),
                FRAMES_PER_SECOND,
            )
        } else {
            ProgressDrawTarget::hidden()
        };
        self.bars.set_draw_target(target);
    }

    /// Whether figures are told as lines for now.
    pub(crate) fn tells_lines(&self) -> bool {
        match self.settings.figures {
            Figures::Bars => self.bars.is_hidden(),
            Figures::Lines => true,
            Figures::None => false,
        }
    }

    /// Whether the story is told at all.
    pub(crate) fn tells_story(&self) -> bool {
        self.settings.audience == Audience::Person
    }

    /// A table on stdout. On a terminal the cells of `shortens` give way where a line is too long for it.
    pub(crate) fn table(&self, mut table: Table, shortens: usize) {
        if let Some(columns) = self.settings.columns {
            table.fit(shortens, columns);
        }
        for line in table.lines() {
            self.data(&line);
        }
    }

    /// A table that is part of the story.
    pub(crate) fn story_table(&self, mut table: Table, shortens: usize) {
        if let Some(columns) = self.settings.columns.filter(|_| self.settings.terminal) {
            table.fit(shortens, columns);
        }
        for line in table.lines() {
            self.story(&line);
        }
    }

    /// One line of data on stdout.
    pub(crate) fn data(&self, line: &str) {
        self.write_out(&format!("{}\n", clean(line)));
    }

    /// One line of data on stdout of which a program can tell the fields: no field has a tab.
    pub(crate) fn fields(&self, fields: &[&str]) {
        let fields: Vec<_> = fields.iter().map(|field| clean(field)).collect();
        self.write_out(&format!("{}\n", fields.join("\t")));
    }

    /// One value as a line of JSON on stdout, with its hive where there are several.
    pub(crate) fn json_of(&self, hive: Option<&str>, value: &impl Serialize) {
        self.json(&OfHive { hive, value });
    }

    /// One value as a line of JSON on stdout.
    pub(crate) fn json(&self, value: &impl Serialize) {
        if let Ok(json) = serde_json::to_string(value) {
            self.write_out(&format!("{}\n", escape_json(&json)));
        }
    }

    /// A frame of a job's stream for a program, as on the wire; with its job and its hive where several are told of.
    pub(crate) fn event(&self, id: u64, event: &Event, job_id: Option<JobId>, hive: Option<&str>) {
        if self.settings.is_json()
            && let Ok(data) = event.data()
        {
            let line = EventLine {
                event: event.name(),
                id,
                data,
                job_id,
            };
            self.json_of(hive, &line);
        }
    }

    /// keeper's own text on stdout as it is: help, a script for a shell.
    pub(crate) fn own_text(&self, text: &str) {
        self.write_out(text);
    }

    /// Why stdout has not all that it was given; a reader that went away is no reason.
    pub(crate) fn out_error(&self) -> Option<&io::Error> {
        self.out_error.get()
    }

    /// Whether whoever read stdout went away, so that nothing more on it reaches anyone.
    pub(crate) fn out_is_closed(&self) -> bool {
        self.out_is_closed.load(Ordering::Relaxed)
    }

    fn write_out(&self, text: &str) {
        let written = self.bars.suspend(|| {
            let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
            out.write_all(text.as_bytes()).and_then(|()| out.flush())
        });
        match written {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.out_is_closed.store(true, Ordering::Relaxed);
            }
            Err(error) => {
                // The first one says why.
                let _ = self.out_error.set(error);
            }
        }
    }

    /// One line of the story on stderr, unless nobody wants it.
    pub(crate) fn story(&self, line: &str) {
        self.story_in(Tone::Plain, line);
    }

    /// One coloured line of the story.
    pub(crate) fn story_in(&self, tone: Tone, line: &str) {
        if self.tells_story() {
            self.must_know(tone, line);
        }
    }

    /// One line on stderr that a person must know even when all else is quiet.
    pub(crate) fn must_know(&self, tone: Tone, line: &str) {
        let text = clean(line);
        let text = match tone.color().filter(|_| self.settings.color) {
            Some(color) => format!("{color}{text}\u{1b}[0m"),
            None => text.into_owned(),
        };
        self.bars.suspend(|| write_line(&self.err, &text));
    }

    /// A question at the end of a line on stderr.
    pub(crate) fn question(&self, text: &str) {
        let mut err = self.err.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = err
            .write_all(format!("{} ", clean(text)).as_bytes())
            .and_then(|()| err.flush());
    }
}

fn write_line(sink: &Mutex<Box<dyn Write + Send>>, line: &str) {
    let mut sink = sink.lock().unwrap_or_else(PoisonError::into_inner);
    let _ = sink
        .write_all(format!("{line}\n").as_bytes())
        .and_then(|()| sink.flush());
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Both streams of a printer, to be read after.
    #[derive(Clone, Default)]
    pub(crate) struct Captured {
        pub(crate) out: Captive,
        pub(crate) err: Captive,
    }

    #[derive(Clone, Default)]
    pub(crate) struct Captive(Arc<Mutex<Vec<u8>>>);

    impl Captive {
        pub(crate) fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Captive {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    pub(crate) fn captured(audience: Audience, color: bool) -> (Printer, Captured) {
        let captured = Captured::default();
        let settings = PrinterSettings {
            audience,
            figures: Figures::Lines,
            terminal: false,
            color,
            columns: None,
        };
        let out = Box::new(captured.out.clone());
        let printer = Printer::new(settings, out, Box::new(captured.err.clone()));
        (printer, captured)
    }

    struct Fails(io::ErrorKind);

    impl Write for Fails {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(self.0.into())
        }
    }

    fn failing(kind: io::ErrorKind) -> Printer {
        let (quiet, _) = captured(Audience::Person, false);
        Printer::new(
            quiet.settings(),
            Box::new(Fails(kind)),
            Box::new(Fails(kind)),
        )
    }

    #[test]
    fn control_characters_from_outside_reach_neither_stream() {
        let (printer, captured) = captured(Audience::Person, false);
        printer.data("/srv/\u{1b}[31mhub\n/etc/passwd");
        printer.story("model \u{1b}]0;owned\u{7}");
        printer.must_know(Tone::Bad, "failed\r\u{9b}2J");
        assert_eq!(
            captured.out.text(),
            "/srv/\u{fffd}[31mhub\u{fffd}/etc/passwd\n"
        );
        assert_eq!(
            captured.err.text(),
            "model \u{fffd}]0;owned\u{fffd}\nfailed\u{fffd}\u{fffd}2J\n"
        );
    }

    #[test]
    fn a_quiet_printer_still_says_what_one_must_know() {
        let (printer, captured) = captured(Audience::QuietPerson, false);
        printer.story("downloading");
        printer.must_know(Tone::Bad, "failed");
        assert_eq!(captured.err.text(), "failed\n");
    }

    #[test]
    fn colour_surrounds_the_cleaned_text() {
        let (printer, captured) = captured(Audience::Person, true);
        printer.must_know(Tone::Bad, "no\u{1b}[0m");
        assert_eq!(captured.err.text(), "\u{1b}[31mno\u{fffd}[0m\u{1b}[0m\n");
    }

    #[test]
    fn a_reader_that_went_away_is_no_error_and_a_full_disk_is() {
        let printer = failing(io::ErrorKind::BrokenPipe);
        printer.data("a path");
        printer.json(&1);
        printer.must_know(Tone::Plain, "a line");
        assert!(printer.out_error().is_none());
        assert!(printer.out_is_closed());
        let printer = failing(io::ErrorKind::StorageFull);
        printer.data("a path");
        assert!(printer.out_error().is_some());
        assert!(!printer.out_is_closed());
    }
}
