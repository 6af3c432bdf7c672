//! The `keeper` program as a library: everything but the process's first and last line.
//!
//! keeper is a client: it talks to a hive over `hive-client` and reaches no server-side crate. It never decides how a
//! download works, and it never cancels a job that it only looks at.

mod app;
mod args;
mod commands;
mod environment;
pub mod exit_code;
mod failure;
mod fleet;
mod foreground;
mod hive_socket;
mod hives;
mod job_reference;
mod local_hive;
mod model_reference;
mod own_hive;
mod revival;
mod signals;
mod ssh;
mod track;
mod ui;
mod watch;

use std::{
    env,
    ffi::OsString,
    io::{self, IsTerminal},
    process::ExitCode,
};

use clap::Parser;
use rustix::{stdio, termios::tcgetwinsize};

use crate::{
    app::App,
    args::{Arguments, Color, Format, GlobalArguments},
    exit_code::Ending,
    failure::Failure,
    hives::{Config, Meant},
    ui::{Audience, Figures, Outlet, Printer, PrinterSettings, Tone},
};

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return not_a_command(&error),
    };
    let printer = printer(&arguments.global);
    let ending = run(&printer, arguments).unwrap_or_else(|failure| {
        failure.tell(&printer);
        Ending::Code(failure.exit)
    });
    written(&printer, ending).take()
}

/// What was done and could not be told has failed for whoever reads stdout.
fn written(printer: &Printer, ending: Ending) -> Ending {
    let Some(error) = printer.out_error() else {
        return ending;
    };
    let line = format!("Stdout cannot be written: {error}");
    printer.must_know(Tone::Bad, &line);
    match ending {
        Ending::DONE => Ending::Code(exit_code::FAILED),
        Ending::Code(_) | Ending::Signal(_) => ending,
    }
}

fn run(printer: &Printer, arguments: Arguments) -> Result<Ending, Failure> {
    let config = Config::load(&variable)?;
    let GlobalArguments {
        hives,
        all_hives,
        hive_labels,
        ..
    } = &arguments.global;
    let meant = Meant::of(hives, *all_hives, hive_labels, &variable)?;
    let app = App::new(printer.clone(), config, meant, variable);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            Failure::new(
                exit_code::FAILED,
                "runtime",
                "keeper cannot start",
                "free some memory or file descriptors and try again",
            )
            .because(Some(error.to_string()))
        })?;
    let ended = runtime.block_on(commands::run(&app, arguments.command));
    // A name look-up in the system's resolver cannot be stopped, and holds nothing of ours.
    runtime.shutdown_background();
    ended
}

/// Help and version go to stdout; anything else is a refusal in one sentence.
fn not_a_command(error: &clap::Error) -> ExitCode {
    let printer = printer(&GlobalArguments {
        hives: Vec::new(),
        all_hives: false,
        hive_labels: Vec::new(),
        format: args::format_of_a_refused_line(env::args_os()),
        quiet: false,
        no_progress: true,
        color: Color::Auto,
    });
    if error.use_stderr() {
        let failure = args::refusal_of(error);
        failure.tell(&printer);
        return ExitCode::from(failure.exit);
    }
    printer.own_text(&error.to_string());
    written(&printer, Ending::DONE).take()
}

fn printer(global: &GlobalArguments) -> Printer {
    let terminal = io::stderr().is_terminal();
    let is_set = |name: &str| variable(name).is_some_and(|value| !value.is_empty());
    // Editors run programs on terminals that know no sequences.
    let can_draw =
        terminal && variable("TERM").is_some_and(|term| !term.is_empty() && term != "dumb");
    let color = match global.color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => can_draw && !is_set("NO_COLOR"),
    };
    let audience = match global.format {
        Format::Json => Audience::Program,
        Format::Human if global.quiet => Audience::QuietPerson,
        Format::Human => Audience::Person,
    };
    let figures = if global.no_progress || audience != Audience::Person {
        Figures::None
    } else if can_draw && !foreground::is_anothers() {
        Figures::Bars
    } else {
        Figures::Lines
    };
    let settings = PrinterSettings {
        audience,
        figures,
        terminal,
        color,
        columns: columns_of_stdout(),
    };
    let (stdout, stderr) = (Outlet::new(stdio::stdout()), Outlet::new(stdio::stderr()));
    Printer::new(settings, Box::new(stdout), Box::new(stderr))
}

/// The width of the terminal that stdout is, where it tells one.
fn columns_of_stdout() -> Option<usize> {
    let size = tcgetwinsize(io::stdout()).ok()?;
    (size.ws_col > 0).then_some(usize::from(size.ws_col))
}

/// The environment of this process.
fn variable(name: &str) -> Option<OsString> {
    env::var_os(name)
}
