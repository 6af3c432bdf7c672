//! Which job is meant: a whole id, a unique part of one, or `last`.

use futures_util::future::try_join_all;
use hive_api::{Job, JobId, Open, ProblemCode};
use hive_client::ClientError;

use crate::hives::{Config, Hive};

/// This keeper's last submission.
pub(crate) const LAST: &str = "last";

/// A job and the hive that it is on.
#[derive(Clone, Debug)]
pub(crate) struct JobAt {
    /// The hive.
    pub(crate) hive: Hive,
    /// The job, as it was when it was found.
    pub(crate) job: Job,
}

/// What names a job.
#[derive(Debug)]
pub(crate) enum JobReference {
    /// Its whole id.
    Whole(JobId),
    /// Hexadecimal digits of it, and dashes.
    Part(String),
}

/// What a reference names among some jobs.
pub(crate) enum Picked<'a> {
    /// None of them.
    None,
    /// This one.
    One(&'a JobAt),
    /// Several, so that more of one has to be named.
    Several(Vec<&'a JobAt>),
}

impl JobReference {
    /// Reads what a person named; the error says why it names none.
    pub(crate) fn parse(text: &str, config: &Config) -> Result<Self, String> {
        if text == LAST {
            let last = config.last_job();
            let last = last.ok_or("this keeper has submitted no job yet")?;
            return Ok(Self::Whole(last.job_id));
        }
        if let Ok(id) = text.parse::<JobId>() {
            return Ok(Self::Whole(id));
        }
        let digits = text.to_ascii_lowercase();
        let is_part = |character: char| character.is_ascii_hexdigit() || character == '-';
        if digits.is_empty() || !digits.chars().all(is_part) {
            return Err(format!("`{text}` is no part of a job's id"));
        }
        Ok(Self::Part(digits))
    }

    /// The jobs of a hive that may be meant: those of whole ids; every one where a part of an id is to be looked for.
    pub(crate) async fn candidates(wanted: &[Self], hive: &Hive) -> Result<Vec<Job>, ClientError> {
        let ids = wanted.iter().map(|reference| match reference {
            Self::Whole(id) => Some(*id),
            Self::Part(_) => None,
        });
        match ids.collect::<Option<Vec<JobId>>>() {
            Some(ids) => {
                let asked = ids.into_iter().map(|id| there(hive, id));
                let jobs = try_join_all(asked).await?;
                Ok(jobs.into_iter().flatten().collect())
            }
            None => hive.client.all_jobs(None).await,
        }
    }

    /// Which of these is meant. The shown end wins over the inside of an id: the beginning is the time, and its digits
    /// repeat. A hive that is known by two names has its jobs once.
    pub(crate) fn pick<'a>(&self, jobs: &'a [JobAt]) -> Picked<'a> {
        let digits = match self {
            Self::Whole(id) => {
                let found = jobs.iter().find(|at| at.job.job_id == *id);
                return found.map_or(Picked::None, Picked::One);
            }
            Self::Part(digits) => digits.replace('-', ""),
        };
        let with = |has: fn(&str, &str) -> bool| {
            let mut found: Vec<&JobAt> = Vec::new();
            for at in jobs {
                let id = at.job.job_id;
                let is_new = found.iter().all(|other| other.job.job_id != id);
                if is_new && has(&id.as_uuid().simple().to_string(), &digits) {
                    found.push(at);
                }
            }
            found
        };
        let ending = with(|id, digits| id.ends_with(digits));
        let found = if ending.is_empty() {
            with(|id, digits| id.contains(digits))
        } else {
            ending
        };
        match found[..] {
            [] => Picked::None,
            [only] => Picked::One(only),
            _ => Picked::Several(found),
        }
    }
}

/// The job, where the hive has it.
async fn there(hive: &Hive, id: JobId) -> Result<Option<Job>, ClientError> {
    match hive.client.job(id).await {
        Ok(job) => Ok(Some(job)),
        Err(ClientError::Problem(problem))
            if problem.code == Open::Known(ProblemCode::NotFound) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use hive_client::Endpoint;
    use uuid::Uuid;

    use super::*;
    use crate::{commands::tests::job, hives::choose};

    const IDS: [&str; 3] = [
        "019a2b3c-0000-7000-8000-0000009f3c41",
        "019a2b3c-0000-7000-8000-0000002b8e07",
        "019a2b3c-0000-7000-9f3c-000000aa8e07",
    ];

    /// Each job on a hive of its own; the first is also on a second one, which is the same hive by another name.
    fn jobs() -> Vec<JobAt> {
        let at = |(number, id): (usize, &&str)| {
            let name = format!("http://gpu{number}");
            let target = choose(Some(&name), &Config::default(), &|_| None).unwrap();
            let endpoint = Endpoint::UnixSocket("/nowhere".into());
            JobAt {
                hive: Hive::connect(&target, &endpoint).unwrap(),
                job: job(JobId::new(Uuid::parse_str(id).unwrap())),
            }
        };
        let twice = [IDS[0], IDS[1], IDS[2], IDS[0]];
        twice.iter().enumerate().map(at).collect()
    }

    fn picked(digits: &str) -> Option<Result<JobId, usize>> {
        let jobs = jobs();
        let reference = JobReference::parse(digits, &Config::default()).unwrap();
        match reference.pick(&jobs) {
            Picked::None => None,
            Picked::One(at) => Some(Ok(at.job.job_id)),
            Picked::Several(ids) => Some(Err(ids.len())),
        }
    }

    fn id(number: usize) -> JobId {
        IDS[number].parse().unwrap()
    }

    #[test]
    fn the_shown_end_names_a_job_and_so_does_the_whole_id() {
        assert_eq!(picked("9f3c41"), Some(Ok(id(0))));
        assert_eq!(picked("2b8e07"), Some(Ok(id(1))));
        assert_eq!(picked("c41"), Some(Ok(id(0))));
        assert_eq!(picked(IDS[1]), Some(Ok(id(1))));
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

    #[test]
    fn what_is_no_part_of_an_id_is_said_to_be_none() {
        for text in ["", "qwen", "last"] {
            assert!(
                JobReference::parse(text, &Config::default()).is_err(),
                "{text}"
            );
        }
    }
}
