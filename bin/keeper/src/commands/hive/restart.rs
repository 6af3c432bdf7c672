//! `keeper hive restart`: so that it takes this environment, or a new version of itself.

use super::{start, stop};
use crate::{app::App, exit_code::Ending, failure::Failure};

pub(in crate::commands) async fn run(app: &App) -> Result<Ending, Failure> {
    let own = app.own_hive()?;
    stop::stop(app, &own).await?;
    start::start(app, &own).await?;
    Ok(Ending::DONE)
}
