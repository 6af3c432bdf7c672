//! What each command does, a file for each verb under its noun.

mod completions;
mod hive;
mod job;
mod model;

use std::io::{self, IsTerminal};

use hive_api::{Job, Open, Operation};

use crate::{
    app::App,
    args::{Command, HiveCommand, JobCommand, ModelCommand},
    exit_code::Ending,
    failure::Failure,
    model_reference::short_name,
};

/// Runs a command to its end.
pub(crate) async fn run(app: &App, command: Command) -> Result<Ending, Failure> {
    match command {
        Command::Model(ModelCommand::Download(arguments)) | Command::Pull(arguments) => {
            model::download::run(app, &arguments).await
        }
        Command::Model(ModelCommand::Plan(arguments)) => model::plan::run(app, &arguments).await,
        Command::Model(ModelCommand::List) | Command::Ls => model::list::run(app).await,
        Command::Model(ModelCommand::Show { model }) => model::show::run(app, &model).await,
        Command::Model(ModelCommand::Remove(arguments)) | Command::Rm(arguments) => {
            model::remove::run(app, &arguments).await
        }
        Command::Job(JobCommand::List(arguments)) | Command::Ps(arguments) => {
            job::list::run(app, arguments).await
        }
        Command::Job(JobCommand::Show { jobs }) => job::show::run(app, &jobs).await,
        Command::Job(JobCommand::Watch { jobs }) => job::watch::run(app, &jobs).await,
        Command::Job(JobCommand::Logs { jobs, follow }) => job::logs::run(app, &jobs, follow).await,
        Command::Job(JobCommand::Cancel {
            jobs,
            discard_partial,
            others,
        }) => job::cancel::run(app, &jobs, discard_partial, others).await,
        Command::Job(JobCommand::Limit { job, rate, others }) => {
            job::limit::run(app, &job, rate, others).await
        }
        Command::Job(JobCommand::Pause { jobs, others }) => {
            job::pause::run(app, &jobs, others).await
        }
        Command::Job(JobCommand::Resume { jobs, others }) => {
            job::resume::run(app, &jobs, others).await
        }
        Command::Job(JobCommand::Retry { jobs, ending }) => {
            job::retry::run(app, &jobs, ending).await
        }
        Command::Hive(HiveCommand::Add(arguments)) => hive::add::run(app, arguments).await,
        Command::Hive(HiveCommand::Remove { name }) => hive::remove::run(app, &name),
        Command::Hive(HiveCommand::Rename { old, new }) => hive::rename::run(app, &old, &new),
        Command::Hive(HiveCommand::List) => Ok(hive::list::run(app)),
        Command::Hive(HiveCommand::Use { name }) => hive::use_hive::run(app, &name),
        Command::Hive(HiveCommand::Start) => hive::start::run(app).await,
        Command::Hive(HiveCommand::Stop) => hive::stop::run(app).await,
        Command::Hive(HiveCommand::Restart) => hive::restart::run(app).await,
        Command::Hive(HiveCommand::Status) => hive::status::run(app).await,
        Command::Hive(HiveCommand::Doctor(arguments)) => hive::doctor::run(app, &arguments).await,
        Command::Hive(HiveCommand::Login) => hive::login::run(app).await,
        Command::Hive(HiveCommand::Logout) => hive::logout::run(app).await,
        Command::Hive(HiveCommand::Whoami) => hive::whoami::run(app).await,
        Command::Completions { shell } => Ok(completions::run(app, shell)),
    }
}

/// `download Qwen3-8B-GGUF:Q4_K_M`: what a job does, in a few words.
fn what_of(job: &Job) -> String {
    match &job.operation {
        Open::Known(Operation::ModelDownload(download)) => {
            format!("download {}", short_name(&download.model))
        }
        Open::Unknown(operation) => {
            let kind = operation.get("kind").and_then(|kind| kind.as_str());
            kind.unwrap_or("unknown operation").replace('_', " ")
        }
    }
}

/// Asks a person on a terminal whether to go on; else nobody can answer, so this flag must have been given.
async fn confirm(app: &App, question: &str, flag: &str) -> Result<bool, Failure> {
    let settings = app.printer.settings();
    if !io::stdin().is_terminal() || !settings.terminal || settings.is_json() {
        return Err(Failure::usage(
            format!("nobody can be asked here: {question}"),
            format!("add {flag} to go on without being asked"),
        ));
    }
    app.printer.question(&format!("{question} [y/N]"));
    let answer = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        io::stdin().read_line(&mut line).map(|_| line)
    });
    let answer = answer.await.ok().and_then(Result::ok).unwrap_or_default();
    let answer = answer.trim().to_ascii_lowercase();
    Ok(matches!(answer.as_str(), "y" | "yes"))
}

#[cfg(test)]
pub(crate) mod tests;
