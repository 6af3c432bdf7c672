//! `keeper hive rename`: another name for the same hive.

use serde::Serialize;

use crate::{app::App, exit_code::Ending, failure::Failure, hives};

pub(in crate::commands) fn run(app: &App, old: &str, new: &str) -> Result<Ending, Failure> {
    let new = hives::name_for(new)?;
    app.config.rename(old, &new)?;
    app.printer.story(&format!("{old} is called {new} now"));
    if app.printer.settings().is_json() {
        app.printer.json(&Renamed {
            old,
            new: new.as_str(),
        });
    }
    Ok(Ending::DONE)
}

/// What a program is told.
#[derive(Serialize)]
struct Renamed<'a> {
    old: &'a str,
    new: &'a str,
}
