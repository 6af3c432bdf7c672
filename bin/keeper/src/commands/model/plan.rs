//! `keeper model plan`: what a download would fetch, before the first byte.

use hive_api::{Access, Open, Operation, Plan, Priority, SubmitJob};

use super::operation;
use crate::{
    app::App,
    args::PlanArguments,
    exit_code::Ending,
    failure::Failure,
    ui::{format, screens, table::Table},
};

pub(in crate::commands) async fn run(
    app: &App,
    arguments: &PlanArguments,
) -> Result<Ending, Failure> {
    let download = operation(&arguments.model, &arguments.selection, false);
    let download = SubmitJob {
        operation: Operation::ModelDownload(download),
        priority: Priority::default(),
        limit_bytes_per_second: None,
    };
    if app.means_fleet() {
        let plans = app.have_each(async |hive| hive.client.plan(&download).await);
        return Ok(app.tell_each(&plans.await?, lines));
    }
    let hive = app.hive().await?;
    let plan = hive.client.plan(&download).await;
    let plan = plan.map_err(|error| Failure::of_client(&hive, &error))?;
    if app.printer.settings().is_json() {
        app.printer.json(&plan);
    } else {
        for line in lines(&plan) {
            app.printer.data(&line);
        }
    }
    Ok(Ending::DONE)
}

fn lines(plan: &Plan) -> Vec<String> {
    let mut lines = screens::planned(&plan.summary);
    match &plan.access {
        Open::Known(Access::Granted) | Open::Unknown(_) => {}
        Open::Known(Access::Denied) => {
            lines.push("The Hub account of this hive has no access to the files yet".to_owned());
        }
        Open::Known(Access::Unchecked) => {
            lines.push("Whether the Hub account has access is not known yet".to_owned());
        }
    }
    let mut table = Table::new(&[">Size", ">Here", "File"]);
    for file in &plan.files {
        let size = file.bytes.map_or_else(|| "?".to_owned(), format::size);
        let here = match (file.bytes_reused, file.bytes) {
            (0, _) => "-".to_owned(),
            (reused, Some(bytes)) => format::rough_percent(reused, bytes),
            (reused, None) => format::size(reused),
        };
        table.row(vec![size, here, file.path.clone()]);
    }
    lines.extend(table.lines());
    lines
}
