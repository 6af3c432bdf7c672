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
        tell_program(app, &local).await?;
    } else {
        start(app, &local).await?;
    }
    Ok(Ending::DONE)
}

/// Starts it and says so.
pub(super) async fn start(app: &App, local: &LocalHive) -> Result<(), Failure> {
    local_hive::start(local, &app.variable).await?;
    app.printer.story("Started the hive of this machine");
    tell_program(app, local).await
}

/// A program is told what the running hive says about itself.
async fn tell_program(app: &App, local: &LocalHive) -> Result<(), Failure> {
    if app.printer.settings().is_json() {
        let info = local.hive.client.hive().await;
        let info = info.map_err(|error| Failure::of_client(&local.hive, &error))?;
        app.printer.json(&info);
    }
    Ok(())
}
