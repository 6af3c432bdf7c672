//! `keeper hive use`: the hive that is meant when none is named.

use serde::Serialize;

use crate::{app::App, exit_code::Ending, failure::Failure};

pub(in crate::commands) fn run(app: &App, name: &str) -> Result<Ending, Failure> {
    app.config.use_hive(name)?;
    app.printer
        .story(&format!("{name} is used when no hive is named"));
    if app.printer.settings().is_json() {
        app.printer.json(&Used { used: name });
    }
    Ok(Ending::DONE)
}

/// What a program is told.
#[derive(Serialize)]
struct Used<'a> {
    used: &'a str,
}
