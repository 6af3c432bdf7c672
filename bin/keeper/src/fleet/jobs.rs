//! The hives of the jobs that are named: with several hives each job is looked for on all of them.

use super::{Answer, words_of_silent, worst_silence};
use crate::{
    app::App,
    exit_code,
    failure::Failure,
    job_reference::{JobAt, JobReference, Picked},
};

impl App {
    /// The jobs that are named, each once and with its hive, in the order in which they were named. With several hives
    /// they are looked for on all of them, since an id is that of one job. All are found or none is: what is asked of
    /// them is then done to all of them.
    pub(crate) async fn find_jobs(&self, names: &[impl AsRef<str>]) -> Result<Vec<JobAt>, Failure> {
        let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
        let wanted = names.iter().map(|name| {
            let parsed = JobReference::parse(name, &self.config);
            parsed.map_err(|reason| self.no_such_job(reason))
        });
        let wanted = wanted.collect::<Result<Vec<JobReference>, Failure>>()?;
        let answers = if self.means_fleet() {
            self.ask_each(async |hive| JobReference::candidates(&wanted, hive).await)
                .await?
        } else {
            let hive = self.hive_of_jobs(&names).await?;
            let jobs = JobReference::candidates(&wanted, &hive).await;
            let jobs = jobs.map_err(|error| Failure::of_client(&hive, &error))?;
            let answer = Ok(jobs);
            vec![Answer { hive, answer }]
        };
        let there = answers.iter().flat_map(|each| {
            let jobs = each.answer.iter().flatten().cloned();
            let hive = &each.hive;
            jobs.map(move |job| JobAt {
                hive: hive.clone(),
                job,
            })
        });
        let there: Vec<JobAt> = there.collect();
        let mut found: Vec<JobAt> = Vec::with_capacity(names.len());
        for (name, reference) in names.iter().zip(&wanted) {
            let at = match reference.pick(&there) {
                Picked::One(at) => at,
                Picked::None => return Err(self.not_found_on(name, &answers)),
                Picked::Several(several) => return Err(self.part_of_several(name, &several)),
            };
            if found.iter().all(|other| other.job.job_id != at.job.job_id) {
                found.push(at.clone());
            }
        }
        Ok(found)
    }

    fn no_such_job(&self, detail: String) -> Failure {
        let next = self.command("job list --all");
        Failure::new(exit_code::NOT_FOUND, "not_found", detail, next)
    }

    /// The job may be on a hive that did not answer, and then that is what the command ends with.
    fn not_found_on<T>(&self, name: &str, answers: &[Answer<T>]) -> Failure {
        let answered = answers.iter().filter(|each| each.answer.is_ok());
        let answered: Vec<&str> = answered.map(|each| each.hive.name.as_str()).collect();
        let silent = words_of_silent(answers);
        let detail = match (answered.is_empty(), silent.is_empty()) {
            (true, _) => format!("no hive answered: {}", silent.join(", ")),
            (false, true) => format!("no job {name} on {}", answered.join(", ")),
            (false, false) => format!(
                "no job {name} on {}; {}",
                answered.join(", "),
                silent.join(", ")
            ),
        };
        let mut failure = match (answers, self.means_fleet()) {
            ([only], false) => {
                let next = only.hive.command("job list --all");
                Failure::new(exit_code::NOT_FOUND, "not_found", detail, next)
            }
            _ => self.no_such_job(detail),
        };
        if !silent.is_empty() {
            failure.exit = worst_silence(answers);
        }
        failure
    }

    fn part_of_several(&self, name: &str, several: &[&JobAt]) -> Failure {
        let ids = several.iter().take(5).map(|at| {
            let id = at.job.job_id;
            match self.name_in_fleet(&at.hive) {
                Some(hive) => format!("{id} on {hive}"),
                None => id.to_string(),
            }
        });
        let ids: Vec<String> = ids.collect();
        let detail = format!("`{name}` is part of several jobs' ids");
        let next = format!("name more of one: {}", ids.join(", "));
        Failure::new(exit_code::NOT_FOUND, "not_found", detail, next)
    }
}
