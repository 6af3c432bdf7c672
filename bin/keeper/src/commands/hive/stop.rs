//! `keeper hive stop`: its jobs go on at its next start.

use hive_api::HiveInfo;
use serde::Serialize;

use crate::{app::App, exit_code::Ending, failure::Failure, own_hive::OwnHive, ui::format};

pub(in crate::commands) async fn run(app: &App) -> Result<Ending, Failure> {
    let own = app.own_hive()?;
    let stopped_process = stop(app, &own).await?;
    if app.printer.settings().is_json() {
        app.printer.json(&Stopped { stopped_process });
    } else if stopped_process.is_none() {
        app.printer.story(&match &own {
            OwnHive::Local(_) => "No hive runs here".to_owned(),
            OwnHive::Ssh(ssh) => format!("No hive runs on {}", ssh.hive.name),
        });
    }
    Ok(Ending::DONE)
}

/// What a program is told.
#[derive(Serialize)]
struct Stopped {
    stopped_process: Option<i32>,
}

/// Stops it and says what that means for its jobs; `None` when none ran, else which process that was.
pub(super) async fn stop(app: &App, own: &OwnHive) -> Result<Option<i32>, Failure> {
    let info = own.hive().client.hive().await.ok();
    let Some(pid) = own.stop().await? else {
        return Ok(None);
    };
    let jobs = info.as_ref().map(unfinished).unwrap_or_default();
    let of = match own {
        OwnHive::Local(_) => String::new(),
        OwnHive::Ssh(ssh) => format!(" of {}", ssh.hive.name),
    };
    app.printer
        .story(&format!("Stopped the hive{of} (process {pid}){jobs}"));
    Ok(Some(pid))
}

fn unfinished(info: &HiveInfo) -> String {
    match info.running_jobs + info.queued_jobs {
        0 => String::new(),
        1 => "; 1 unfinished job goes on at its next start".to_owned(),
        jobs => format!(
            "; {} go on at its next start",
            format::count(u64::from(jobs), "unfinished job")
        ),
    }
}
