//! `keeper hive start`: in the background, as keeper itself would start it.

use crate::{
    app::App,
    exit_code::Ending,
    failure::Failure,
    local_hive::{self, LocalHive},
};

pub(in crate::commands) async fn run(app: &App) -> Result<Ending, Failure> {
    let local = app.local_hive()?;
    if local.answers().await? {
        app.printer.story("The hive runs already");
    } else {
        start(app, &local).await?;
    }
    Ok(Ending::DONE)
}

/// Starts it and says so.
pub(super) async fn start(app: &App, local: &LocalHive) -> Result<(), Failure> {
    local_hive::start(local, &app.variable).await?;
    app.printer.story("Started the hive of this machine");
    Ok(())
}
