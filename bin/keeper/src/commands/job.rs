//! Jobs: look at them, watch them, stop them.

pub(super) mod cancel;
pub(super) mod limit;
pub(super) mod list;
pub(super) mod logs;
pub(super) mod pause;
pub(super) mod resume;
pub(super) mod retry;
pub(super) mod show;
pub(super) mod watch;

use futures_util::{StreamExt, stream};
use hive_api::Job;
use hive_client::ClientError;

use crate::{
    app::App,
    exit_code::{self, Ending},
    failure::Failure,
    hives::Hive,
    ui::Tone,
};

/// What a job became of, in lines for a person, with the exit code.
struct Done {
    job: Job,
    lines: Vec<String>,
    exit: u8,
}

/// Asks the hive for the same of every job at once, and tells what became of each in the order of the jobs.
async fn act_on_each(
    app: &App,
    hive: &Hive,
    jobs: &[Job],
    act: impl AsyncFn(&Job) -> Result<Done, ClientError>,
) -> Ending {
    let mut codes = Vec::with_capacity(jobs.len());
    let acted = stream::iter(jobs).map(|job| act(job));
    let mut acted = std::pin::pin!(acted.buffered(jobs.len().max(1)));
    while let Some(done) = acted.next().await {
        match done {
            Ok(done) => {
                if app.printer.settings().is_json() {
                    app.printer.json(&done.job);
                }
                for line in &done.lines {
                    app.printer.story_in(Tone::Plain, line);
                }
                codes.push(done.exit);
            }
            Err(error) => {
                let failure = Failure::of_client(hive, &error);
                failure.tell(&app.printer);
                codes.push(failure.exit);
            }
        }
    }
    Ending::Code(exit_code::worst(codes))
}
