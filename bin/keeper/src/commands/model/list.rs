//! `keeper model list`: what the store holds.

use hive_api::{ModelList, ModelState, Open, StoredModel};
use jiff::Timestamp;

use super::{bytes_on_disk, state_of};
use crate::{
    app::App,
    exit_code::Ending,
    failure::Failure,
    fleet::worst_silence,
    hives::Hive,
    ui::{format, screens::short_commit, table::Table},
};

pub(in crate::commands) async fn run(app: &App) -> Result<Ending, Failure> {
    if app.means_fleet() {
        return of_fleet(app).await;
    }
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
    let rows: Vec<(Option<&str>, &StoredModel)> =
        models.models.iter().map(|model| (None, model)).collect();
    app.printer.table(table(&rows, Timestamp::now()), 0);
    app.printer.story(&summary(&hive, &models));
    Ok(Ending::DONE)
}

/// The stores of several hives in one table, and what each comes to.
async fn of_fleet(app: &App) -> Result<Ending, Failure> {
    let answers = app
        .ask_each(async |hive| hive.client.models().await)
        .await?;
    let answered = || {
        answers
            .iter()
            .filter_map(|each| Some((&each.hive, each.answer.as_ref().ok()?)))
    };
    if app.printer.settings().is_json() {
        for each in &answers {
            let name = Some(each.hive.name.as_str());
            match &each.answer {
                Ok(models) => app.printer.json_of(name, models),
                Err(silence) => silence.failure.tell_of(&app.printer, name),
            }
        }
        return Ok(Ending::Code(worst_silence(&answers)));
    }
    let rows = answered().flat_map(|(hive, models)| {
        let models = models.models.iter();
        models.map(|model| (Some(hive.name.as_str()), model))
    });
    let rows: Vec<(Option<&str>, &StoredModel)> = rows.collect();
    if !rows.is_empty() {
        app.printer.table(table(&rows, Timestamp::now()), 1);
    }
    for (hive, models) in answered() {
        app.printer.story(&summary(hive, models));
    }
    Ok(Ending::Code(app.tell_silent(&answers)))
}

/// The rows with their hives, where there are several.
fn table(models: &[(Option<&str>, &StoredModel)], now: Timestamp) -> Table {
    const HEADINGS: [&str; 6] = ["Hive", "Model", "Revision", ">On disk", "Used", "State"];
    let is_fleet = models.iter().any(|(hive, _)| hive.is_some());
    let mut table = Table::new(&HEADINGS[usize::from(!is_fleet)..]);
    for (hive, model) in models {
        let hive = hive.map(str::to_owned).into_iter();
        let cells = hive.chain([
            model.model.clone(),
            short_commit(&model.commit).to_owned(),
            format::size(model.bytes_on_disk),
            used(model, now),
            state_of(model),
        ]);
        table.row(cells.collect());
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
