//! `keeper model remove`: names what goes and asks first.

use futures_util::future::join_all;
use hive_api::{ModelList, RemovedModel};

use super::bytes_on_disk;
use crate::{
    app::App,
    args::RemoveArguments,
    commands::confirm,
    exit_code::{self, Ending},
    failure::Failure,
    fleet,
    hives::Hive,
    model_reference::StoredReference,
    ui::format,
};

pub(in crate::commands) async fn run(
    app: &App,
    arguments: &RemoveArguments,
) -> Result<Ending, Failure> {
    let reference = StoredReference::parse(&arguments.model)?.whole_repository()?;
    if app.means_fleet() {
        return of_fleet(app, arguments, &reference).await;
    }
    let hive = app.hive().await?;
    if !arguments.yes {
        let look = hive
            .client
            .model(&reference.repo, reference.revision.as_deref());
        let models = look.await;
        let models = models.map_err(|error| Failure::of_client(&hive, &error))?;
        if !may_remove(app, &arguments.model, &[(&hive, &models)]).await? {
            return Ok(Ending::DONE);
        }
    }
    let removed = remove(&hive, &reference).await?;
    tell(app, &hive, &removed);
    Ok(Ending::DONE)
}

/// From every hive that has it, after one question about all of them.
async fn of_fleet(
    app: &App,
    arguments: &RemoveArguments,
    reference: &StoredReference,
) -> Result<Ending, Failure> {
    let (repo, revision) = (&reference.repo, reference.revision.as_deref());
    let look = app.have_each(async |hive| hive.client.model(repo, revision).await);
    let mut answers = look.await?;
    fleet::leave_out_missing(app, &arguments.model, &mut answers);
    let mut codes = Vec::new();
    let mut there: Vec<(&Hive, &ModelList)> = Vec::new();
    for each in &answers {
        match &each.answer {
            Ok(models) => there.push((&each.hive, models)),
            Err(silence) => {
                silence.failure.tell_of(&app.printer, Some(&each.hive.name));
                codes.push(silence.failure.exit);
            }
        }
    }
    let goes_on =
        arguments.yes || (!there.is_empty() && may_remove(app, &arguments.model, &there).await?);
    if !goes_on {
        return Ok(Ending::Code(exit_code::worst(codes)));
    }
    let removed = there
        .iter()
        .map(|(hive, _)| async move { (*hive, remove(hive, reference).await) });
    for (hive, removed) in join_all(removed).await {
        match removed {
            Ok(removed) => tell(app, hive, &removed),
            Err(failure) => {
                failure.tell_of(&app.printer, Some(&hive.name));
                codes.push(failure.exit);
            }
        }
    }
    Ok(Ending::Code(exit_code::worst(codes)))
}

async fn remove(hive: &Hive, reference: &StoredReference) -> Result<RemovedModel, Failure> {
    let revision = reference.revision.as_deref();
    let removed = hive.client.remove_model(&reference.repo, revision).await;
    removed.map_err(|error| Failure::of_client(hive, &error))
}

fn tell(app: &App, hive: &Hive, removed: &RemovedModel) {
    if app.printer.settings().is_json() {
        app.printer.json_of(app.name_in_fleet(hive), removed);
    }
    let revisions = format::count(removed.commits.len() as u64, "revision");
    let freed = format::size(removed.bytes_freed);
    let line = format!(
        "Removed {} ({revisions}) from {}, {freed} freed",
        removed.repo, hive.name
    );
    app.printer.story(&line);
}

/// Asks once, with the bytes and the store of each hive.
async fn may_remove(
    app: &App,
    model: &str,
    there: &[(&Hive, &ModelList)],
) -> Result<bool, Failure> {
    let from = there.iter().map(|(hive, models)| {
        let bytes = format::size(bytes_on_disk(&models.models));
        format!("{bytes}, from {}:{}", hive.name, models.store_path)
    });
    let from: Vec<String> = from.collect();
    let question = format!("Remove {model}, {}?", from.join(", and "));
    let goes_on = confirm(app, &question, "--yes").await?;
    if !goes_on {
        app.printer.story("Nothing was removed");
    }
    Ok(goes_on)
}
