//! `keeper model show`: one repository of the store, revision by revision and file by file.

use hive_api::StoredModel;

use super::state_of;
use crate::{
    app::App,
    exit_code::Ending,
    failure::Failure,
    model_reference::StoredReference,
    ui::{format, screens::labelled},
};

pub(in crate::commands) async fn run(app: &App, model: &str) -> Result<Ending, Failure> {
    let reference = StoredReference::parse(model)?;
    let hive = app.hive().await?;
    let revision = reference.revision.as_deref();
    let models = hive.client.model(&reference.repo, revision).await;
    let models = models.map_err(|error| Failure::of_client(&hive, &error))?;
    if app.printer.settings().is_json() {
        app.printer.json(&models);
        return Ok(Ending::DONE);
    }
    for line in models.models.iter().flat_map(lines) {
        app.printer.data(&line);
    }
    Ok(Ending::DONE)
}

fn lines(model: &StoredModel) -> Vec<String> {
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
