//! `keeper hive start`: in the background, as keeper itself would start it.

use crate::{app::App, exit_code::Ending, failure::Failure, own_hive::OwnHive};

pub(in crate::commands) async fn run(app: &App) -> Result<Ending, Failure> {
    let own = app.own_hive()?;
    if own.answers().await? {
        app.printer.story(&match &own {
            OwnHive::Local(_) => "The hive runs already".to_owned(),
            OwnHive::Ssh(ssh) => format!("The hive of {} runs already", ssh.hive.name),
        });
        tell_program(app, &own).await?;
    } else {
        start(app, &own).await?;
    }
    Ok(Ending::DONE)
}

/// Starts it and says so.
pub(super) async fn start(app: &App, own: &OwnHive) -> Result<(), Failure> {
    own.start().await?;
    app.printer.story(&match own {
        OwnHive::Local(_) => "Started the hive of this machine".to_owned(),
        OwnHive::Ssh(ssh) => format!("Started the hive of {}", ssh.hive.name),
    });
    tell_program(app, own).await
}

/// A program is told what the running hive says about itself.
async fn tell_program(app: &App, own: &OwnHive) -> Result<(), Failure> {
    if app.printer.settings().is_json() {
        let hive = own.hive();
        let info = hive.client.hive().await;
        let info = info.map_err(|error| Failure::of_client(hive, &error))?;
        app.printer.json(&info);
    }
    Ok(())
}
