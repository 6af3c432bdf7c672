//! `keeper model list`: what the store holds.

use hive_api::{ModelList, ModelState, Open, StoredModel};
use jiff::Timestamp;

use super::{bytes_on_disk, state_of};
use crate::{
    app::App,
    exit_code::Ending,
    failure::Failure,
    hives::Hive,
    ui::{format, screens::short_commit, table::Table},
};

pub(in crate::commands) async fn run(app: &App) -> Result<Ending, Failure> {
    let hive = app.hive().await?;
    let models = hive.client.models().await;
    let models = models.map_err(|error| Failure::of_client(&hive, &error))?;
    if app.printer.settings().is_json() {
        app.printer.json(&models);
        return Ok(Ending::DONE);
    }
    if models.models.is_empty() {
        let download = hive.command("model download");
        let line = format!("No models on {}; {download} fetches one", hive.name);
        app.printer.story(&line);
        return Ok(Ending::DONE);
    }
    app.printer.table(table(&models, Timestamp::now()), 0);
    app.printer.story(&summary(&hive, &models));
    Ok(Ending::DONE)
}

fn table(models: &ModelList, now: Timestamp) -> Table {
    let mut table = Table::new(&["Model", "Revision", ">On disk", "Used", "State"]);
    for model in &models.models {
        table.row(vec![
            model.model.clone(),
            short_commit(&model.commit).to_owned(),
            format::size(model.bytes_on_disk),
            used(model, now),
            state_of(model),
        ]);
    }
    table
}

fn used(model: &StoredModel, now: Timestamp) -> String {
    let Some(at) = model.last_used_at else {
        return "-".to_owned();
    };
    let seconds = now.duration_since(at).as_secs().max(0);
    format::age(seconds.unsigned_abs())
}

/// `3 models, 99.7 GB, of it 85.5 GB partial; 412 GB free on gpu1:/srv/hub`.
fn summary(hive: &Hive, models: &ModelList) -> String {
    let bytes_of = |wanted: fn(&StoredModel) -> bool| -> u64 {
        let chosen = models.models.iter().filter(|model| wanted(model));
        bytes_on_disk(chosen)
    };
    let count = format::count(models.models.len() as u64, "model");
    let total = format::size(bytes_of(|_| true));
    let partial = bytes_of(|model| model.state == Open::Known(ModelState::Partial));
    let partial = match partial {
        0 => String::new(),
        bytes => format!(", of it {} partial", format::size(bytes)),
    };
    let free = format::rough_size(models.free_bytes);
    let (name, path) = (&hive.name, &models.store_path);
    format!("{count}, {total}{partial}; {free} free on {name}:{path}")
}
