//! `keeper model show`: one repository of the store, revision by revision and file by file.

use std::collections::BTreeSet;

use hive_api::{ModelList, StoredModel};

use super::state_of;
use crate::{
    app::App,
    exit_code::{self, Ending},
    failure::Failure,
    fleet,
    hives::Hive,
    model_reference::StoredReference,
    ui::{format, screens::labelled},
};

pub(in crate::commands) async fn run(app: &App, model: &str) -> Result<Ending, Failure> {
    let reference = StoredReference::parse(model)?;
    let (repo, revision) = (&reference.repo, reference.revision.as_deref());
    if app.means_fleet() {
        let ask = app.ask_each(async |hive| hive.client.model(repo, revision).await);
        let mut answers = ask.await?;
        for each in &mut answers {
            each.check(|hive, models| select(hive, &reference, models));
        }
        fleet::leave_out_missing(app, model, &mut answers);
        return Ok(app.tell_each(&answers, lines));
    }
    let hive = app.hive().await?;
    let models = hive.client.model(repo, revision).await;
    let mut models = models.map_err(|error| Failure::of_client(&hive, &error))?;
    select(&hive, &reference, &mut models)?;
    if app.printer.settings().is_json() {
        app.printer.json(&models);
        return Ok(Ending::DONE);
    }
    for line in lines(&models) {
        app.printer.data(&line);
    }
    Ok(Ending::DONE)
}

/// Leaves what a selector names: a quantisation, or the models that have this file.
fn select(hive: &Hive, reference: &StoredReference, models: &mut ModelList) -> Result<(), Failure> {
    let Some(selector) = &reference.selector else {
        return Ok(());
    };
    let (repo, models) = (&reference.repo, &mut models.models);
    let there: BTreeSet<&str> = models.iter().map(|model| model.model.as_str()).collect();
    let there = Vec::from_iter(there).join(", ");
    models.retain(|model| {
        let quantisation = model.model.split_once(':').map(|(_, name)| name);
        quantisation.is_some_and(|name| name.eq_ignore_ascii_case(selector))
            || model.files.iter().any(|file| file.path == *selector)
    });
    if models.is_empty() {
        return Err(Failure::new(
            exit_code::NOT_FOUND,
            "not_found",
            format!("no `{selector}` of {repo} is on {}", hive.name),
            format!("name one that is there: {there}"),
        ));
    }
    Ok(())
}

fn lines(models: &ModelList) -> Vec<String> {
    models.models.iter().flat_map(lines_of_model).collect()
}

fn lines_of_model(model: &StoredModel) -> Vec<String> {
    let mut lines = vec![model.model.clone()];
    let refs = match model.refs.join(", ") {
        refs if refs.is_empty() => model.commit.clone(),
        refs => format!("{} ({refs})", model.commit),
    };
    let size = format::size(model.bytes_on_disk);
    lines.extend(labelled("Commit", &refs));
    lines.extend(labelled("State", &format!("{}, {size}", state_of(model))));
    lines.extend(labelled("Path", &model.path));
    for file in &model.files {
        let size = file
            .bytes
            .map_or_else(|| "missing".to_owned(), format::size);
        lines.push(format!("  {size:>10}  {}", file.path));
    }
    lines
}
