//! `keeper completions SHELL`.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::{app::App, args::Arguments, exit_code::Ending};

pub(super) fn run(app: &App, shell: Shell) -> Ending {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "keeper", &mut script);
    app.printer.own_text(&String::from_utf8_lossy(&script));
    Ending::DONE
}
