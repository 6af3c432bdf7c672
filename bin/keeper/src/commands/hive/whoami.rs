//! `keeper hive whoami`: as whom a hive asks the Hub.

use crate::{
    app::App,
    exit_code::{self, Ending},
    failure::Failure,
};

pub(in crate::commands) async fn run(app: &App) -> Result<Ending, Failure> {
    let hive = app.hive().await?;
    let account = hive.client.hub_account().await;
    let account = account.map_err(|error| Failure::of_client(&hive, &error))?;
    if app.printer.settings().is_json() {
        app.printer.json(&account);
    }
    let Some(name) = &account.account else {
        if app.printer.settings().is_json() {
            return Ok(Ending::Code(exit_code::UNAUTHORISED));
        }
        return Err(Failure::new(
            exit_code::UNAUTHORISED,
            "no_account",
            format!("{} asks {} without an account", hive.name, account.endpoint),
            hive.command("hive login"),
        ));
    };
    if !app.printer.settings().is_json() {
        app.printer.data(name);
        let source = account.token_source.as_deref().unwrap_or("nowhere");
        let line = format!(
            "at {}, token from {source} on {}",
            account.endpoint, hive.name
        );
        app.printer.story(&line);
    }
    Ok(Ending::DONE)
}
