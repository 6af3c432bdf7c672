//! What the jobs came to: the paths for stdout, and the table of several hives.

use hive_api::{Job, JobResult, Open};

use crate::{
    ui::{Printer, screens, table::Table},
    watch::shown::Shown,
};

/// The column that gives way on a narrow terminal.
const CAME_TO: usize = 3;

/// Where the models are, in the order in which they were named; with several hives a table before.
pub(super) fn print(printer: &Printer, jobs: &[Shown], is_fleet: bool) {
    if is_fleet {
        printer.story_table(table(jobs), CAME_TO);
    }
    for shown in jobs.iter().filter(|shown| shown.has_ended) {
        let Some(job) = &shown.job else { continue };
        let hive = is_fleet.then_some(shown.hive.name.as_str());
        if printer.settings().is_json() {
            printer.json_of(hive, job);
        } else if let Some(path) = path(job) {
            let fields: Vec<&str> = hive.into_iter().chain([path]).collect();
            printer.fields(&fields);
        }
    }
}

fn path(job: &Job) -> Option<&str> {
    match &job.result {
        Some(Open::Known(JobResult::ModelDownload(model))) => Some(&model.path),
        Some(Open::Unknown(_)) | None => None,
    }
}

fn table(jobs: &[Shown]) -> Table {
    let mut table = Table::new(&["Hive", "State", "What", "Where or why"]);
    for shown in jobs {
        let job = shown.job.as_ref();
        let state = match (job, &shown.refusal) {
            (_, Some(_)) => "failed",
            (Some(job), None) => job.state.as_str(),
            (None, None) => "not submitted",
        };
        let came_to = match (job, &shown.refusal) {
            (_, Some(failure)) => Some(failure.problem.detail.clone()),
            (Some(job), None) => {
                let why = || job.error.as_ref().map(|error| error.detail.clone());
                let path = path(job).map(str::to_owned);
                path.or_else(why).or_else(|| screens::kept(job))
            }
            (None, None) => None,
        };
        table.row(vec![
            shown.hive.name.clone(),
            state.to_owned(),
            shown.what.clone(),
            came_to.unwrap_or_else(|| "-".to_owned()),
        ]);
    }
    table
}
