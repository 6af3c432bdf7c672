//! `keeper hive remove`: keeper forgets a hive; nothing changes there.

use serde::Serialize;

use crate::{app::App, exit_code::Ending, failure::Failure, hives::LOCAL};

pub(in crate::commands) fn run(app: &App, name: &str) -> Result<Ending, Failure> {
    let had_token = app.config.token(name).is_some();
    let was_used = app.config.remove(name)?;
    app.printer.story(&format!("Removed {name}"));
    if had_token {
        app.printer.story(
            "The token of this keeper still counts there: hive token revoke NAME on its machine ends it",
        );
    }
    if was_used {
        app.printer.story(&format!(
            "{LOCAL}, the hive of this machine, is used now when no hive is named"
        ));
    }
    if app.printer.settings().is_json() {
        app.printer.json(&Removed {
            removed: name,
            was_used,
        });
    }
    Ok(Ending::DONE)
}

/// What a program is told.
#[derive(Serialize)]
struct Removed<'a> {
    removed: &'a str,
    was_used: bool,
}
