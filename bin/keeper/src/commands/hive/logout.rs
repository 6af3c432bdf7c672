//! `keeper hive logout`: makes a hive forget the token that it was given for the Hub.

use super::login;
use crate::{app::App, exit_code::Ending, failure::Failure};

pub(in crate::commands) async fn run(app: &App) -> Result<Ending, Failure> {
    let hive = app.hive().await?;
    let account = hive.client.forget_hub_token().await;
    let account = account.map_err(|error| Failure::of_client(&hive, &error))?;
    login::tell(app, &hive.name, &account);
    Ok(Ending::DONE)
}
