//! `keeper model remove`: names what goes and asks first.

use hive_api::ModelList;

use super::bytes_on_disk;
use crate::{
    app::App, args::RemoveArguments, commands::confirm, exit_code::Ending, failure::Failure,
    hives::Hive, model_reference::StoredReference, ui::format,
};

pub(in crate::commands) async fn run(
    app: &App,
    arguments: &RemoveArguments,
) -> Result<Ending, Failure> {
    let reference = StoredReference::parse(&arguments.model)?.whole_repository()?;
    let (repo, revision) = (&reference.repo, reference.revision.as_deref());
    let hive = app.hive().await?;
    let failed = |error| Failure::of_client(&hive, &error);
    if !arguments.yes {
        let models = hive.client.model(repo, revision).await.map_err(failed)?;
        if !confirm(app, &question(&hive, &arguments.model, &models), "--yes").await? {
            app.printer.story("Nothing was removed");
            return Ok(Ending::DONE);
        }
    }
    let removed = hive.client.remove_model(repo, revision).await;
    let removed = removed.map_err(failed)?;
    if app.printer.settings().is_json() {
        app.printer.json(&removed);
    }
    let revisions = format::count(removed.commits.len() as u64, "revision");
    let freed = format::size(removed.bytes_freed);
    let line = format!(
        "Removed {} ({revisions}) from {}, {freed} freed",
        removed.repo, hive.name
    );
    app.printer.story(&line);
    Ok(Ending::DONE)
}

fn question(hive: &Hive, model: &str, models: &ModelList) -> String {
    let bytes = bytes_on_disk(&models.models);
    let (name, path) = (&hive.name, &models.store_path);
    format!(
        "Remove {model}, {}, from {name}:{path}?",
        format::size(bytes)
    )
}
