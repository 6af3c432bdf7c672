//! `keeper job limit`: changes how many bytes a second a job receives at most, and says what holds now.

use hive_api::{ChangeJob, Job, RateLimit};

use super::may_act_on;
use crate::{
    app::App, args::OthersArguments, exit_code::Ending, failure::Failure, job_reference, ui::Tone,
};

pub(in crate::commands) async fn run(
    app: &App,
    name: &str,
    rate: RateLimit,
    others: OthersArguments,
) -> Result<Ending, Failure> {
    let hive = app.hive_of_jobs(&[name]).await?;
    let job = job_reference::resolve(app, &hive, name).await?;
    if !may_act_on(app, &hive, std::slice::from_ref(&job), others).await? {
        return Ok(Ending::DONE);
    }
    let change = ChangeJob {
        limit_bytes_per_second: rate.bytes_per_second(),
    };
    let job = hive.client.change(job.job_id, &change).await;
    let job = job.map_err(|error| Failure::of_client(&hive, &error))?;
    if app.printer.settings().is_json() {
        app.printer.json(&job);
        return Ok(Ending::DONE);
    }
    let info = hive.client.hive().await.ok();
    let shared = RateLimit::new(info.and_then(|info| info.limit_bytes_per_second));
    for line in lines(&hive.name, &job, shared) {
        app.printer.story_in(Tone::Plain, &line);
    }
    Ok(Ending::DONE)
}

/// What the job may receive, and what all downloads of its hive may where that is limited too.
fn lines(hive: &str, job: &Job, shared: RateLimit) -> Vec<String> {
    let short = job.job_id.short();
    let own = RateLimit::new(job.limit_bytes_per_second);
    let mut lines = vec![match own.bytes_per_second() {
        Some(_) => format!("Job {short} on {hive} receives {own} at most"),
        None => format!("Job {short} on {hive} has no rate limit of its own"),
    }];
    if shared.bytes_per_second().is_some() {
        lines.push(format!(
            "All downloads on {hive} together receive {shared} at most"
        ));
    }
    lines
}

#[cfg(test)]
mod tests {
    use hive_api::JobId;
    use uuid::Uuid;

    use super::*;
    use crate::commands::tests::job;

    #[test]
    fn what_holds_now_is_said_the_limit_of_the_hive_included() {
        let mut job = job(JobId::new(Uuid::from_u128(0x9f_3c41)));
        job.limit_bytes_per_second = Some(20_000_000);
        assert_eq!(
            lines("gpu1", &job, RateLimit::default()),
            ["Job 9f3c41 on gpu1 receives 20 MB/s at most"]
        );
        job.limit_bytes_per_second = None;
        assert_eq!(
            lines("gpu1", &job, RateLimit::new(Some(50_000_000))),
            [
                "Job 9f3c41 on gpu1 has no rate limit of its own",
                "All downloads on gpu1 together receive 50 MB/s at most",
            ]
        );
    }
}
