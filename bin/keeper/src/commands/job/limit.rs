//! `keeper job limit`: changes how many bytes a second a job receives at most, and says what holds now.

use hive_api::{ChangeJob, Job, RateLimit};

use super::{Done, act_on_each, may_act_on};
use crate::{
    app::App,
    args::OthersArguments,
    exit_code::{self, Ending},
    failure::Failure,
    hives::Hive,
};

pub(in crate::commands) async fn run(
    app: &App,
    name: &str,
    rate: RateLimit,
    others: OthersArguments,
) -> Result<Ending, Failure> {
    let jobs = app.find_jobs(&[name]).await?;
    if !may_act_on(app, &jobs, others).await? {
        return Ok(Ending::DONE);
    }
    let change = ChangeJob {
        limit_bytes_per_second: rate.bytes_per_second(),
    };
    let limit = async |hive: &Hive, before: &Job| {
        let job = hive.client.change(before.job_id, &change).await?;
        let info = hive.client.hive().await.ok();
        let shared = RateLimit::new(info.and_then(|info| info.limit_bytes_per_second));
        Ok(Done {
            lines: lines(&hive.name, &job, shared),
            exit: exit_code::DONE,
            job,
        })
    };
    Ok(act_on_each(app, &jobs, limit).await)
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
