//! Which job is meant: a whole id, a unique part of one, or `last`.

use hive_api::{Job, JobId, Open, ProblemCode};
use hive_client::ClientError;

use crate::{app::App, exit_code, failure::Failure, hives::Hive};

/// This keeper's last submission.
pub(crate) const LAST: &str = "last";

/// Finds the job on the hive.
pub(crate) async fn resolve(app: &App, hive: &Hive, text: &str) -> Result<Job, Failure> {
    let mut listed = None;
    resolve_with(app, hive, text, &mut listed).await
}

/// Finds the jobs on the hive, each once, in the order in which they were named. All are found or none is: what is asked
/// of them is then done to all of them.
pub(crate) async fn resolve_all(
    app: &App,
    hive: &Hive,
    texts: &[String],
) -> Result<Vec<Job>, Failure> {
    let mut listed = None;
    let mut jobs: Vec<Job> = Vec::with_capacity(texts.len());
    for text in texts {
        let job = resolve_with(app, hive, text, &mut listed).await?;
        if jobs.iter().all(|other| other.job_id != job.job_id) {
            jobs.push(job);
        }
    }
    Ok(jobs)
}

/// `listed` has every job of the hive once a part of an id was looked for among them.
async fn resolve_with(
    app: &App,
    hive: &Hive,
    text: &str,
    listed: &mut Option<Vec<Job>>,
) -> Result<Job, Failure> {
    if text == LAST {
        let Some(last) = app.config.last_job() else {
            return Err(unknown(
                hive,
                "this keeper has submitted no job yet".to_owned(),
            ));
        };
        return get(hive, last.job_id).await;
    }
    if let Ok(id) = text.parse::<JobId>() {
        return get(hive, id).await;
    }
    let digits = text.to_ascii_lowercase();
    let is_part = |character: char| character.is_ascii_hexdigit() || character == '-';
    if digits.is_empty() || !digits.chars().all(is_part) {
        return Err(unknown(hive, format!("`{text}` is no part of a job's id")));
    }
    let jobs = match listed {
        Some(jobs) => jobs,
        missing => {
            let jobs = hive.client.all_jobs(None).await;
            missing.insert(jobs.map_err(|error| Failure::of_client(hive, &error))?)
        }
    };
    match pick(jobs, &digits) {
        Picked::One(job) => Ok(job.clone()),
        Picked::None => Err(unknown(hive, format!("no job {text} on {}", hive.name))),
        Picked::Several(ids) => {
            let ids: Vec<String> = ids.iter().take(5).map(ToString::to_string).collect();
            let mut failure = unknown(hive, format!("`{text}` is part of several jobs' ids"));
            failure.problem.hint = Some(format!("name more of one: {}", ids.join(", ")));
            Err(failure)
        }
    }
}

/// What a part of an id names.
enum Picked<'a> {
    None,
    One(&'a Job),
    Several(Vec<JobId>),
}

/// The shown end wins over the inside of an id: the beginning is the time, and its digits repeat.
fn pick<'a>(jobs: &'a [Job], digits: &str) -> Picked<'a> {
    let bare = digits.replace('-', "");
    let simple = |job: &Job| job.job_id.as_uuid().simple().to_string();
    let ending: Vec<&Job> = jobs
        .iter()
        .filter(|job| simple(job).ends_with(&bare))
        .collect();
    let found = if ending.is_empty() {
        jobs.iter()
            .filter(|job| simple(job).contains(&bare))
            .collect()
    } else {
        ending
    };
    match found[..] {
        [] => Picked::None,
        [job] => Picked::One(job),
        _ => Picked::Several(found.iter().map(|job| job.job_id).collect()),
    }
}

async fn get(hive: &Hive, id: JobId) -> Result<Job, Failure> {
    hive.client.job(id).await.map_err(|error| match &error {
        ClientError::Problem(problem) if problem.code == Open::Known(ProblemCode::NotFound) => {
            unknown(hive, format!("no job {id} on {}", hive.name))
        }
        _ => Failure::of_client(hive, &error),
    })
}

fn unknown(hive: &Hive, detail: String) -> Failure {
    let next = hive.command("job list --all");
    Failure::new(exit_code::NOT_FOUND, "not_found", detail, next)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::commands::tests::job;

    const IDS: [&str; 3] = [
        "019a2b3c-0000-7000-8000-0000009f3c41",
        "019a2b3c-0000-7000-8000-0000002b8e07",
        "019a2b3c-0000-7000-9f3c-000000aa8e07",
    ];

    fn picked(digits: &str) -> Option<Result<JobId, usize>> {
        let jobs: Vec<Job> = IDS
            .iter()
            .map(|id| job(JobId::new(Uuid::parse_str(id).unwrap())))
            .collect();
        match pick(&jobs, digits) {
            Picked::None => None,
            Picked::One(job) => Some(Ok(job.job_id)),
            Picked::Several(ids) => Some(Err(ids.len())),
        }
    }

    fn id(number: usize) -> JobId {
        IDS[number].parse().unwrap()
    }

    #[test]
    fn the_shown_end_names_a_job() {
        assert_eq!(picked("9f3c41"), Some(Ok(id(0))));
        assert_eq!(picked("2b8e07"), Some(Ok(id(1))));
        assert_eq!(picked("c41"), Some(Ok(id(0))));
    }

    #[test]
    fn another_unique_part_names_a_job_too() {
        assert_eq!(picked("7000-9f3c"), Some(Ok(id(2))));
        assert_eq!(picked("aa8"), Some(Ok(id(2))));
    }

    #[test]
    fn a_part_of_several_and_of_none_names_nothing() {
        assert_eq!(picked("8e07"), Some(Err(2)));
        assert_eq!(picked("019a2b3c"), Some(Err(3)));
        assert_eq!(picked("ffffff"), None);
    }
}
